"""The epochs of a training: what is done in each, what it may be told, and when they end."""
