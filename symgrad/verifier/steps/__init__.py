"""Updates, steps and whole epochs, held against what the optimizer and the schedule say."""
