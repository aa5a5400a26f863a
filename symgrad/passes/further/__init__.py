"""Derivatives beyond the gradient, as programs of their own."""
