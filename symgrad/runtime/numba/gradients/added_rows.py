"""Gradients that are 0 but in some rows, of which no others are formed, or added to a vector."""

import numpy as np

from symgrad.runtime.numba.array_views import view
from symgrad.runtime.numba.compiling import kernel


@kernel
def clear_rows(gradient: np.ndarray, rows: np.ndarray) -> None:
    """0 in these rows, or in all, where these are as many."""
    if rows.size >= gradient.shape[0]:
        gradient[:] = 0
        return
    each = view(rows, 0, (rows.size,))
    for n in range(each.shape[0]):
        for i in range(gradient.shape[1]):
            gradient[each[n], i] = 0


@kernel
def accumulate_rows(
    gradient: np.ndarray, rows: np.ndarray, destination: np.ndarray, keep: float, scale: float
) -> None:
    """destination ← keep·destination + scale·gradient, where that is 0 but in these rows.

    The others of the gradient are not looked at. A row is 0 once it has been added, so that it is added once.
    """
    each, target = view(rows, 0, (rows.size,)), view(destination, 0, (destination.size,))
    if keep == 0:
        target[:] = 0
    elif keep != 1:
        for i in range(target.shape[0]):
            target[i] = keep * target[i]
    for n in range(each.shape[0]):
        for i in range(gradient.shape[1]):
            destination[each[n], i] += scale * gradient[each[n], i]
            gradient[each[n], i] = 0
