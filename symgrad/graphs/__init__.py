"""The computation graph of a spec, as a picture: nodes in topological order, numbers on the edges."""
