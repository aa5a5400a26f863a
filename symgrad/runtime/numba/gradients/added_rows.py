"""Rows of a gradient added to a vector."""

import numpy as np

from symgrad.runtime.numba.array_views import view
from symgrad.runtime.numba.compiling import kernel
from symgrad.runtime.numba.gradients.added_gradients import accumulate


@kernel
def accumulate_rows(
    gradient: np.ndarray, rows: np.ndarray, destination: np.ndarray, keep: float, scale: float
) -> None:
    """destination ← keep·destination + scale·gradient, where the gradient is 0 but in some rows.

    Where these are few and all is kept, no others are looked at. A row is 0 once it has been added, so that
    it is added once.
    """
    if keep != 1 or rows.size >= gradient.shape[0]:
        accumulate(gradient, destination, keep, scale)
        return
    each = view(rows, 0, (rows.size,))
    for n in range(each.shape[0]):
        for i in range(gradient.shape[1]):
            destination[each[n], i] += scale * gradient[each[n], i]
            gradient[each[n], i] = 0
