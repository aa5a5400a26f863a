"""What is shown from a module's text alone: that it stays in its arrays, and they apart, at all sizes."""
