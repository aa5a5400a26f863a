"""The rows of a batch, gathered by columns."""

import numpy as np

from symgrad.runtime.numba.array_views import view
from symgrad.runtime.numba.compiling import kernel


@kernel
def _gather(
    array: np.ndarray, order: np.ndarray, start: int, count: int, width: int, rows: np.ndarray
) -> float:
    """Copy `count` rows of `width` numbers, in the given order, into one piece, by columns.

    Returns 0, or NaN where a number is not finite.
    """
    drawn, columns = view(order, start, (count,)), view(rows, 0, (width, count))
    for k in range(count):
        row = view(array, drawn[k] * width, (width,))
        for i in range(width):
            columns[i, k] = row[i]
    sign = rows[0] * 0
    for k in range(count * width):
        sign += rows[k] * 0
    return float(sign)
