"""Who makes the trials of a sweep: what they are told, what they answer, and processes that do it."""
