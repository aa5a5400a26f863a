"""Tensor equations: what they are, where they come from, their derivatives and their simplification."""
