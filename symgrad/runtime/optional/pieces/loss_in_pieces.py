"""Loss and gradient as the mean over pieces of the rows, in order; in place of those of all at once."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _arguments, _given
from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.parameter_vectors import flatten, unflatten
from symgrad.runtime.smallest_model import (
    AXES,
    BATCH_AXIS,
    DTYPE,
    FREE_AXES,
    INPUTS,
    MICRO_BATCH_SIZE,
    SIZE,
    TARGETS,
    Params,
    _gradient,
    _loss,
    _work_size,
)


def _loss_of(params: Params, data: tuple[Any, ...]) -> float:
    theta, value = flatten(params), 0.0
    for share, part in _by_pieces(data):
        arrays, extents = _arguments(INPUTS + TARGETS, part)
        value += share * _loss(theta, *arrays, _kept("work", _work_size(*extents)), *extents)
    return float(value)


def _loss_and_gradient(params: Params, data: tuple[Any, ...]) -> tuple[float, Params]:
    theta, value = flatten(params), 0.0
    grad: Any = 0
    for share, part in _by_pieces(data):
        arrays, extents = _arguments(INPUTS + TARGETS, part)
        piece = np.empty(SIZE, DTYPE)
        work = _kept("work", _work_size(*extents))
        value += share * _gradient(theta, piece, *arrays, work, *extents)
        grad = piece if share == 1 else grad + DTYPE(share) * piece
    return float(value), unflatten(grad)


def _by_pieces(data: tuple[Any, ...]) -> Iterator[tuple[float, tuple[Any, ...]]]:
    """The share that each piece has of all rows, and its data."""
    names = INPUTS + TARGETS
    data, key = data[: len(names)], data[len(names) :]
    given, extents = _given(names, data)
    rows = extents[FREE_AXES.index(BATCH_AXIS)]
    if rows <= MICRO_BATCH_SIZE:
        yield 1.0, (*data, *key)
        return
    has_rows = [AXES[name][:1] == (BATCH_AXIS,) for name in names]
    pairs = [(a if own else value, own) for a, value, own in zip(given, data, has_rows, strict=True)]
    for start in range(0, rows, MICRO_BATCH_SIZE):
        part = slice(start, min(start + MICRO_BATCH_SIZE, rows))
        drawn = tuple((seed, step, start) for seed, step, _ in key)
        yield (part.stop - part.start) / rows, (*(a[part] if own else a for a, own in pairs), *drawn)
