"""What a wrong derivative may have gone wrong by, where its entries tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.verifier.arithmetic import Array

_CLOSE = 1e-9


def hint(claimed: Array, true: Array, sizes: Mapping[str, int]) -> str:
    """A guess at a common fault that explains every entry, or nothing.

    Both arrays are of float64; `sizes` are the axes' sizes by name. Entries of `true` that are not known
    are nan.
    """
    known = np.isfinite(true)
    largest = float(np.max(np.abs(true[known]), initial=0.0))
    if not np.isfinite(claimed[known]).all():
        return "it is not a finite number"
    if not claimed[known].any():
        return "it is 0 everywhere"
    if largest == 0:
        return "the derivative is 0 everywhere"
    if _is_square(true) and _equal(claimed.T[known], true[known], largest):
        return "it is the transpose"
    telling = known & (np.abs(true) > 1e-3 * largest)
    ratio = float(claimed[telling][0] / true[telling][0])
    if ratio and _equal(claimed[known], ratio * true[known], abs(ratio) * largest):
        return _factor(ratio, sizes)
    return ""


def _is_square(array: Array) -> bool:
    return array.ndim == 2 and array.shape[0] == array.shape[1]


def _equal(left: Array, right: Array, scale: float) -> bool:
    return bool(np.all(np.abs(left - right) <= _CLOSE * scale))


def _factor(ratio: float, sizes: Mapping[str, int]) -> str:
    """The hint for entries that are all `ratio` times what they should be."""
    size, sign = abs(ratio), "" if ratio > 0 else " and the sign is wrong"
    if math.isclose(size, 1, rel_tol=_CLOSE):
        return "the sign is wrong"
    for name, length in sizes.items():
        if length > 1 and math.isclose(size, length, rel_tol=_CLOSE):
            return f"a factor 1/{name} is missing{sign}"
        if length > 1 and math.isclose(size, 1 / length, rel_tol=_CLOSE):
            return f"a factor {name} is missing{sign}"
    for times in (size, 1 / size):
        if math.isclose(times, round(times), rel_tol=_CLOSE):
            factor = f"1/{round(times)}" if times == size else f"{round(times)}"
            return f"a factor {factor} is missing{sign}"
    return f"every entry is {ratio:.6g} times what it should be"
