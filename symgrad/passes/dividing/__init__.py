"""What pieces of a batch, and ranks that share one, know of it, and what they must tell each other."""
