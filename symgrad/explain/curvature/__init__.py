"""The Hessian of the loss: its blocks entry by entry, and as products of matrices where they are some."""
