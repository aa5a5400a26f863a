"""What follows from the arguments of a layer that are words, tuples or choices."""
