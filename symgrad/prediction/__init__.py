"""A trained network at work: what it predicts of data in files, and how good that is."""
