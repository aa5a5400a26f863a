"""The rows of a batch, gathered side by side by all threads that are free."""

import numpy as np

from symgrad.runtime.numba.array_views import view
from symgrad.runtime.numba.compiling import kernel
from symgrad.runtime.numba.gathered_rows import AHEAD, copy, prefetch
from symgrad.runtime.numba.sharing.passes_in_parts import in_parts


@kernel
def _gathered(
    array: np.ndarray, order: np.ndarray, first: int, width: int, rows: np.ndarray, start: int, stop: int
) -> None:
    """Copy the rows from start on, before stop. One with a number that is not finite begins with NaN then."""
    for k in range(start, stop):
        if k + AHEAD < stop:
            prefetch(array, order[first + k + AHEAD] * width, width)
        copy(array, order[first + k] * width, rows, k * width, width)
    for k in range(start, stop):
        row = view(rows, k * width, (width,))
        sign = row[0] * 0
        for i in range(width):
            sign += row[i] * 0
        if sign != 0:
            row[0] = sign


@kernel
def _gather(
    array: np.ndarray, order: np.ndarray, start: int, count: int, width: int, rows: np.ndarray
) -> float:
    """Copy `count` rows of `width` numbers, in the given order, into one piece.

    Returns 0, or NaN where a number is not finite.
    """
    in_parts(_gathered, count, width, (array, order, start, width, rows))
    sign = rows[0] * 0
    for k in range(count):
        sign += rows[k * width] * 0
    return float(sign)
