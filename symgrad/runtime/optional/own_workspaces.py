"""Functions with a workspace of their own: what callers give them is checked, and what they leave there."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _as_compiled, _as_numbers, _given, _show
from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.parameter_vectors import flatten
from symgrad.runtime.smallest_model import DTYPE, SIZE


def _as_vector(name: str, value: Any) -> np.ndarray:
    """Params, or one vector of all their entries, as that vector."""
    if isinstance(value, tuple):
        given: Any = value
        return flatten(given)
    if not isinstance(value, np.ndarray):
        got = type(value).__name__
        raise TypeError(f"{name}: expected Params or a vector of {SIZE} numbers, got {got}")
    array = _as_numbers(name, value)
    if array.shape != (SIZE,):
        raise ValueError(f"{name}: expected Params or a vector of {SIZE} numbers, got {_show(array.shape)}")
    return _as_compiled(array, DTYPE)


def _by_rows(names: Sequence[str], data: Sequence[Any]) -> tuple[list[np.ndarray], list[int]]:
    """What a caller gave, checked, row by row in memory."""
    return _given(names, data)


def _found_in_work(
    function: Callable,
    size: Callable,
    results: Callable,
    params: Any,
    names: tuple[str, ...],
    data: tuple[Any, ...],
) -> tuple[np.ndarray, ...]:
    """What a compiled function leaves in a workspace of its own size."""
    arrays, extents = _by_rows(names, data)
    work = _kept("work", size(*extents))
    function(_as_vector("params", params), *arrays, work, *extents)
    found: tuple[np.ndarray, ...] = results(work, *extents)
    return found
