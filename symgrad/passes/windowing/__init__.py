"""Windows of tensors, and how they are read by products of matrices."""
