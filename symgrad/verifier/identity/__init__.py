"""Whether the text of a module computes exactly what its spec says, on numbers that are not rounded."""
