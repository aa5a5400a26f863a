"""From programs to emitted modules: planning, kernels, targets, loading."""
