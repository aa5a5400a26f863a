"""CSV files: how each is written, and what stands in it."""
