"""What training computes: a step of the optimiser, and the gradients that it takes."""
