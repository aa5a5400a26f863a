"""Derivatives beyond the gradient: products with matrices of second derivatives, and what rows have alone."""

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.runtime.kept_memory import _KEPT, SPARE, _empty, _from_a_line, _kept, _with_constants
from symgrad.runtime.optional.own_workspaces import _as_vector, _by_rows, _found_in_work
from symgrad.runtime.parameter_vectors import unflatten
from symgrad.runtime.smallest_model import DTYPE, INPUTS, SIZE, TARGETS, Params


def _product_with(function: Callable, size: Callable, params: Any, vector: Any, data: tuple[Any, ...]) -> Any:
    """What a matrix makes of a vector, in the form that the vector has."""
    arrays, extents = _by_rows(INPUTS + TARGETS, data)
    theta, direction = _as_vector("params", params), _as_vector("vector", vector)
    product = np.empty(SIZE, DTYPE)
    function(theta, direction, product, *arrays, _kept("work", size(*extents)), *extents)
    return unflatten(product) if isinstance(vector, tuple) else product


def _of_rows(
    function: Callable, size: Callable, results: Callable, params: Any, data: tuple[Any, ...], out: Any
) -> Any:
    """What is found of every row, in a workspace that is the caller's: a new one, or that of `out`."""
    if out is None:
        found = _found_in_work(function, size, results, params, INPUTS + TARGETS, data)
        return Params(*_with_memory(found))
    arrays, extents = _by_rows(INPUTS + TARGETS, data)
    theta, work = _as_vector("params", params), _memory_of(out, size(*extents))
    if _places(results(work, *extents)) != _places(out):
        raise ValueError("out: expected an answer of this function for as many rows as here, as it was")
    if any(np.may_share_memory(work, array) for array in (theta, *arrays)):
        raise ValueError("out: expected memory in which neither params nor data lie; give copies of these")
    _with_constants(work)
    function(theta, *arrays, work, *extents)
    return out


def _memory_of(out: Any, size: int) -> np.ndarray:
    """The workspace that an answer lies in; anything else of an array that lies elsewhere."""
    if not isinstance(out, Params):
        raise TypeError(f"out: expected an answer of this function, got {type(out).__name__}")
    memory: Any = getattr(out[0], "base", None)
    is_one = isinstance(memory, np.ndarray) and memory.ndim == 1 and memory.dtype == DTYPE
    return _from_a_line(memory, size) if is_one and memory.size >= size + SPARE else _empty(size)


def _places(arrays: tuple[Any, ...]) -> list[Any]:
    """Where arrays lie, and how."""
    return [getattr(array, "__array_interface__", None) for array in arrays]


def _with_memory(found: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """The same with the workspace that it lies in, which is the caller's from here on."""
    del _KEPT.work
    return found
