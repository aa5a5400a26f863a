"""From a plan to kernels and function bodies: instructions, as data."""
