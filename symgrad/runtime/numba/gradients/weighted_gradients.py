"""Gradients of parts of a batch, weighted and added up."""

import numpy as np

from symgrad.runtime.numba.compiling import compiled


@compiled
def _add_weighted(total: np.ndarray, keep: float, gradient: np.ndarray, weight: float) -> None:
    """total ← keep·total + weight·gradient."""
    kept, added = total.dtype.type(keep), total.dtype.type(weight)
    for n in range(total.shape[0]):
        total[n] = kept * total[n] + added * gradient[n]
