"""A gradient added to a vector."""

import numpy as np

from symgrad.runtime.numba.array_views import view
from symgrad.runtime.numba.compiling import kernel


@kernel
def carry(gradient: np.ndarray, into: np.ndarray, keep: float, scale: float) -> None:
    """into ← keep·into + scale·gradient; where keep is 0, whatever `into` held is forgotten."""
    g, target = view(gradient, 0, (gradient.size,)), view(into, 0, (into.size,))
    if keep == 0:
        target[:] = 0
    for i in range(g.shape[0]):
        target[i] = keep * target[i] + scale * g[i]
