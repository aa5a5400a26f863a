"""What has a gradient, where numbers are drawn by a key behind the data; in place of what knows of none."""

import math

import numpy as np

from symgrad.runtime.given_arrays import _in_memory
from symgrad.runtime.own_check import _new_work
from symgrad.runtime.smallest_model import AXES, GRADIENTS, SHAPES, SIZE, _gradient, _input_gradients


def _gradients_of(
    theta: np.ndarray, data: list[np.ndarray], extents: list[int]
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Everything that has a gradient: its name, its numbers as a flat view, and their gradient."""
    work, grad = _new_work(extents), np.empty(SIZE)
    _gradient(theta, grad, *data, work, *extents)
    found, start = [], 0
    for name, shape in SHAPES.items():
        end = start + math.prod(shape)
        found.append((name, theta[start:end], grad[start:end]))
        start = end
    arrays = dict(zip(AXES, data, strict=False))
    for name, gradient in zip(GRADIENTS, _input_gradients(work, *extents), strict=True):
        if name in arrays:
            found.append((name, arrays[name].reshape(-1), _in_memory(name, gradient).reshape(-1)))
    return found
