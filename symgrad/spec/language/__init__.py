"""The language of formulas: tokens, grammar, syntax trees, names and numbers."""
