"""Memory of a text that is run: every access within its bounds, and what was written by whom."""
