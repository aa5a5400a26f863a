"""The train block: batches, points that are drawn, the user's own optimiser, and how a training ends."""
