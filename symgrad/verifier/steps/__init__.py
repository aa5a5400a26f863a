"""Updates, steps and whole epochs, held against what the optimiser and the schedule say."""
