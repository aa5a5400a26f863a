"""From a program to a plan: what is computed in which step, and where it lies in memory."""
