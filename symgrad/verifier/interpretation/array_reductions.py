"""Comparisons, and reductions and the choices they make, on arrays of any arithmetic."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from symgrad.verifier.interpretation.tensors import kept_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from symgrad.verifier.interpretation.arithmetic import Arithmetic
    from symgrad.verifier.interpretation.array_library import Array

COMPARE: Mapping[str, Callable[[Array, Array], Array]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def side(a: Array, b: Array) -> Array:
    """-1 where a < b, 0 where they are equal, 1 where a > b."""
    greater, less = np.asarray(a > b, dtype=bool), np.asarray(a < b, dtype=bool)
    return greater.astype(np.int8) - less.astype(np.int8)


def reducer(
    name: str, arithmetic: Arithmetic, branches: list[bytes]
) -> Callable[[Array, tuple[int, ...]], Array]:
    """The primitive reduction `name` over some axes of an array; max and min note in `branches` who won."""

    library = arithmetic.library

    def largest(array: Array, over: tuple[int, ...]) -> Array:
        if library.is_concrete:
            branches.append(_winners(array, over, np.argmax))
        return arithmetic.array(library.max(array, over))

    def smallest(array: Array, over: tuple[int, ...]) -> Array:
        if library.is_concrete:
            branches.append(_winners(array, over, np.argmin))
        return arithmetic.array(library.min(array, over))

    def total(array: Array, over: tuple[int, ...]) -> Array:
        return arithmetic.array(library.sum(array, over))

    def log_sum_exp(array: Array, over: tuple[int, ...]) -> Array:
        # Of a 0-dimensional array of objects NumPy hands back the bare number.
        top = arithmetic.array(library.max(array, over))
        top = arithmetic.array(library.where(top - top == 0, top, arithmetic.array(0)))  # all may be -inf
        shifted = arithmetic.functions["exp"](arithmetic.array(array - top.reshape(kept_shape(array, over))))
        return arithmetic.array(arithmetic.functions["log"](total(shifted, over)) + top)

    known = {"sum": total, "max": largest, "min": smallest, "logsumexp": log_sum_exp}
    return known[name]


def _winners(array: Array, over: tuple[int, ...], choose: Callable[..., Array]) -> bytes:
    kept = [axis for axis in range(array.ndim) if axis not in over]
    rows = array.transpose((*kept, *over)).reshape((*(array.shape[axis] for axis in kept), -1))
    return np.asarray(choose(rows, axis=-1)).tobytes()
