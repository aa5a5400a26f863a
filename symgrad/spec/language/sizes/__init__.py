"""Sizes: whole numbers and what is computed of them, and formulas of those that only the data decides."""
