"""Numbers as a picture has room for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from symgrad.graphs.interpret import Numbers

FEW = 4
"""So many entries are written out; of more, only the smallest and the largest."""


def summary(array: Numbers) -> str:
    """`-12`, `[1, 2]`, or `-0.3 … 2.5`: four significant digits."""
    if array.size <= FEW:
        return _written_out(array)
    low, high = numeral(float(np.min(array))), numeral(float(np.max(array)))
    return low if low == high else f"{low} … {high}"


def numeral(value: float) -> str:
    """A number with four significant digits; zero has no sign."""
    return f"{value + 0.0:.4g}"


def _written_out(array: Numbers) -> str:
    if array.ndim == 0:
        return numeral(float(array))
    return f"[{', '.join(map(_written_out, array))}]"
