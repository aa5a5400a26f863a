"""What of the runtime knows Numba: how functions are compiled, and what compiled code calls."""
