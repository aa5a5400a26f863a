"""Tensors with an axis of probes first: NumPy's broadcasting and `@` for the axes behind it."""

from __future__ import annotations

import numpy as np


def aligned(*arrays: np.ndarray) -> list[np.ndarray]:
    """The arrays with own axes aligned from the right, as NumPy broadcasts."""
    rank = max(a.ndim for a in arrays)
    return [a.reshape((a.shape[0], *(1,) * (rank - a.ndim), *a.shape[1:])) for a in arrays]


def added(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = aligned(a, b)
    return a + b


def multiplied(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = aligned(a, b)
    return a * b


def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`a @ b`, where a vector is a row on the left and a column on the right."""
    row, column = a.ndim == 2, b.ndim == 2
    a = a[:, None, :] if row else a
    b = b[:, :, None] if column else b
    product = np.matmul(*aligned(a, b))
    product = product[..., 0, :] if row else product
    return product[..., 0] if column else product


def spread(weights: np.ndarray, like: np.ndarray) -> np.ndarray:
    """One number for each leading entry of `like`, repeated along its further axes."""
    ones = (1,) * (like.ndim - weights.ndim)
    own = np.broadcast_shapes((*weights.shape[1:], *ones), like.shape[1:])
    return np.broadcast_to(weights.reshape((*weights.shape, *ones)), (weights.shape[0], *own))
