"""Which values the trials of a sweep have."""
