"""From programs to emitted modules: schedule, memory, kernels, drivers, text."""
