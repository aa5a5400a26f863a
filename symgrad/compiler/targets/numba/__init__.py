"""Numba: all that knows it. What functions are called, how they are computed, the module around them."""
