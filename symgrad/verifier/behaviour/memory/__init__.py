"""What a module keeps in memory, and what of it belongs to callers."""
