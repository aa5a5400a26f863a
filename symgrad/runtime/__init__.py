"""The part that is the same in every emitted module: its text stands below that of the model."""
