"""What people ask of a program: Jacobians, the gradient of a single entry, transposed matrices."""
