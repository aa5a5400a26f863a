"""How long a training step would take on more ranks than there are here."""
