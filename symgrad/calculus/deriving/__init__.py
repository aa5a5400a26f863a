"""Derivatives of single equations, and of programs forward."""
