"""The writers: equations, formulas and update rules as people write them, in text and in LaTeX."""
