"""Derivations for people: text, LaTeX, HTML and data."""
