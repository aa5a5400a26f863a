"""What is done with a gradient once it is known, compiled."""
