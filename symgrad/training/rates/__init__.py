"""Which learning rate to begin with: a range test, and what it says."""
