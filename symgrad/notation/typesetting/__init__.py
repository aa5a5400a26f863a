"""Formulas as they are set: their parts, the names in them, and the styles: plain text, LaTeX."""
