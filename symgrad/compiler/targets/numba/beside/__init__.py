"""Functions of a module beside the network and its gradient: further derivatives, one step of time."""
