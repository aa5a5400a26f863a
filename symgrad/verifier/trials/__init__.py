"""A module at work: what it answers on samples, set beside what the spec says."""
