"""Data files: their columns and arrays, read exactly and put into the tensors of a spec."""
