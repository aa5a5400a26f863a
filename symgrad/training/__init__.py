"""Data in, parameters out: reading data files, the training loop, checkpoints and learning curves."""
