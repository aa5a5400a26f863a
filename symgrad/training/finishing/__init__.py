"""What comes after the epochs: iterations on all rows, by SciPy's optimisers and one of our own."""
