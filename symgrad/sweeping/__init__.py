"""Sweeps: a spec trained with many settings by many processes or machines, and what came out of each."""
