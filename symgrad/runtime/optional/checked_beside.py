"""What has a gradient, beside states and what numbers are drawn by; in place of what knows of none."""

import math

import numpy as np

from symgrad.runtime.given_arrays import _in_memory
from symgrad.runtime.own_check import _new_work
from symgrad.runtime.smallest_model import (
    AXES,
    GRADIENTS,
    SHAPES,
    SIZE,
    STATES,
    _gradient,
    _input_gradients,
)


def _gradients_of(
    theta: np.ndarray, data: list[np.ndarray], extents: list[int]
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Everything that has a gradient: its name, its numbers as a flat view, and their gradient.

    No derivative passes through states: their numbers are copies, on which no loss depends. Behind the data
    may stand a key that numbers are drawn by.
    """
    work, grad = _new_work(extents), np.empty(SIZE)
    _gradient(theta, grad, *data, work, *extents)
    found, start = [], 0
    for name, shape in SHAPES.items():
        end = start + math.prod(shape)
        numbers = theta[start:end].copy() if name in STATES else theta[start:end]
        found.append((name, numbers, grad[start:end]))
        start = end
    arrays = dict(zip(AXES, data, strict=False))
    for name, gradient in zip(GRADIENTS, _input_gradients(work, *extents), strict=True):
        if name in arrays:
            found.append((name, arrays[name].reshape(-1), _in_memory(name, gradient).reshape(-1)))
    return found
