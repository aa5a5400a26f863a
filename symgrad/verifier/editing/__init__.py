"""What was edited by hand in a module, and what that may act by where nothing was tried."""
