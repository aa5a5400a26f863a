"""Derivatives beyond the gradient: products with matrices of second derivatives, and what rows have alone."""

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.runtime.kept_memory import _KEPT, _kept
from symgrad.runtime.optional.own_workspaces import _as_vector, _by_rows
from symgrad.runtime.parameter_vectors import unflatten
from symgrad.runtime.smallest_model import DTYPE, INPUTS, SIZE, TARGETS


def _product_with(function: Callable, size: Callable, params: Any, vector: Any, data: tuple[Any, ...]) -> Any:
    """What a matrix makes of a vector, in the form that the vector has."""
    arrays, extents = _by_rows(INPUTS + TARGETS, data)
    theta, direction = _as_vector("params", params), _as_vector("vector", vector)
    product = np.empty(SIZE, DTYPE)
    function(theta, direction, product, *arrays, _kept("work", size(*extents)), *extents)
    return unflatten(product) if isinstance(vector, tuple) else product


def _with_memory(found: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """The same with the workspace that it lies in, which is the caller's from here on."""
    del _KEPT.work
    return found
