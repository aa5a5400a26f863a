"""What this machine and installation can do, and what is wrong with them."""
