"""Matrix products of mpmath's numbers, by way of whole numbers: exact, rounded once at the end.

mpmath rounds and normalises after every product and every sum, which takes ten times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from mpmath.libmp import from_man_exp

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.verifier.interpretation.array_library import Array

_WIDEST = 4096
"""Whole numbers of more bits than this are not worth it."""


def matmul_in(context: Any) -> Callable[[Array, Array], Array]:
    """NumPy's matmul for arrays of a context's numbers; where some are not finite, NumPy's own."""

    def matmul(a: Array, b: Array) -> Array:
        left, right = _whole(a, context), _whole(b, context)
        if left is None or right is None:
            return np.asarray(np.matmul(a, b))
        exponent = left[1] + right[1]

        def rounded(whole: int) -> Any:
            return context.make_mpf(from_man_exp(whole, exponent, context.prec, "n"))

        return np.asarray(np.frompyfunc(rounded, 1, 1)(np.matmul(left[0], right[0])), dtype=object)

    return matmul


def _whole(array: Array, context: Any) -> tuple[Array, int] | None:
    """Whole numbers and the exponent of 2 that makes them the array, if there are such."""
    if not array.size or not all(isinstance(number, context.mpf) for number in array.flat):
        return None
    parts = [number._mpf_ for number in array.flat]
    if any(not mantissa and exponent for _, mantissa, exponent, _ in parts):
        return None  # mpmath writes inf and nan so
    used = [part for part in parts if part[1]]
    least = min((exponent for _, _, exponent, _ in used), default=0)
    if max((exponent + bits for _, _, exponent, bits in used), default=0) - least > _WIDEST:
        return None
    whole = np.empty(array.size, dtype=object)
    whole[:] = [(-m if sign else m) << (e - least) if m else 0 for sign, m, e, _ in parts]
    return whole.reshape(array.shape), least
