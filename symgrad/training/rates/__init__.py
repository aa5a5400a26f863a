"""Which learning rate to begin with: a sweep over rates, and what it says."""
