"""What a module computes beside the network and its gradient."""
