"""How fast training is on this machine, where its time goes, and how far it is from the machine's limit."""
