"""What the gradients of a spec are, by a reverse tape and by differences, and claims held against them."""
