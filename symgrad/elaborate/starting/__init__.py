"""What parameters and states of optimisers start from."""
