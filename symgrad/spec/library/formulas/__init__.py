"""Functions that are formulas, but for activations and losses."""
