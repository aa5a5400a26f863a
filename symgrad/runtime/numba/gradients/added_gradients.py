"""A gradient added to a vector."""

import numpy as np

from symgrad.runtime.numba.array_views import view
from symgrad.runtime.numba.compiling import kernel


@kernel
def accumulate(gradient: np.ndarray, destination: np.ndarray, keep: float, scale: float) -> None:
    """destination ← keep·destination + scale·gradient; where keep is 0, what it held is forgotten."""
    g, target = view(gradient, 0, (gradient.size,)), view(destination, 0, (destination.size,))
    if keep == 0:
        target[:] = 0
    for i in range(g.shape[0]):
        target[i] = keep * target[i] + scale * g[i]
