"""What ranks that share batches do besides where the optimiser asks for it."""
