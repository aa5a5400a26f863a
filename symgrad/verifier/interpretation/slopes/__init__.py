"""Slopes within a formula: dual numbers, and what `d(u, x)` means by them."""
