"""Numba: scalar expressions as Python for it, and the elementary functions that modules carry."""
