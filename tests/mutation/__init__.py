"""Faults planted in emitted modules, to see whether the judge finds them: `python tests/mutation`."""
