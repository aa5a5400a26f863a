"""Work that threads share."""
