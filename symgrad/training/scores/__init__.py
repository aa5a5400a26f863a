"""How good predictions are: by the task, and by name."""
