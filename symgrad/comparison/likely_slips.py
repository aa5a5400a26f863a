"""What a wrong derivative may have gone wrong by, where its entries tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.verifier.interpretation.array_library import Array

_CLOSE = 1e-9


def hint(claimed: Array, true: Array, sizes: Mapping[str, int]) -> str:
    """A guess at one common fault that explains every entry, or nothing.

    Both arrays are of float64; entries of `true` that are not known are nan. `sizes` are those of the
    model's axes by name.
    """
    known = np.isfinite(true)
    largest = float(np.max(np.abs(true[known]), initial=0.0))
    if not np.isfinite(claimed[known]).all():
        return "not every entry is a finite number"
    if not claimed[known].any():
        return "it is 0 everywhere"
    if largest == 0:
        return "the derivative is 0 everywhere"
    if _is_square(true) and _equal(claimed.T[known], true[known], largest):
        return "is it the transpose?"
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
    size, sign = abs(ratio), "-" if ratio < 0 else ""
    if math.isclose(size, 1, rel_tol=_CLOSE):
        return "is the sign wrong?" if sign else ""
    whole = {str(round(n)): round(n) for n in (size, 1 / size)}
    for name, number in (*sizes.items(), *whole.items()):
        if number > 1 and math.isclose(size, number, rel_tol=_CLOSE):
            return f"is a factor {sign}1/{name} missing?"
        if number > 1 and math.isclose(size, 1 / number, rel_tol=_CLOSE):
            return f"is a factor {sign}{name} missing?"
    return f"every entry is {ratio:.10g} times what it should be"
