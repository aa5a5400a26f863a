"""Layers over windows by explicit loops, one number at a time: what a window is, written a second time."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Array = np.ndarray[Any, Any]


def each(value: int | Sequence[int], rank: int) -> tuple[int, ...]:
    """A number for every axis."""
    return (value,) * rank if isinstance(value, int) else tuple(value)


def ends(
    shape: Sequence[int], kernel: Any, stride: Any, padding: Any, dilation: Any
) -> list[tuple[int, int]]:
    """What is put before and after each axis."""
    rank, found = len(shape), []
    for axis in range(rank):
        k, s, d = (each(n, rank)[axis] for n in (kernel, stride, dilation))
        if padding == "causal":
            found.append((d * (k - 1), 0))
        elif padding == "same":
            outputs = -(-shape[axis] // s)
            total = max((outputs - 1) * s + d * (k - 1) + 1 - shape[axis], 0)
            found.append((total // 2, total - total // 2))
        else:
            found.append((each(0 if padding == "valid" else padding, rank)[axis],) * 2)
    return found


def _windows(
    x: Array, kernel: Any, stride: Any, padding: Any, dilation: Any
) -> Iterator[tuple[tuple[int, ...], list[tuple[tuple[int, ...], tuple[int, ...]]]]]:
    """Every place of the result, with the entries of the kernel and of x that meet there."""
    shape = x.shape[1:-1]
    rank, around = len(shape), ends(shape, kernel, stride, padding, dilation)
    k, s, d = (each(n, rank) for n in (kernel, stride, dilation))
    sizes = [(shape[a] + sum(around[a]) - d[a] * (k[a] - 1) - 1) // s[a] + 1 for a in range(rank)]
    for place in itertools.product(*map(range, sizes)):
        met = []
        for offset in itertools.product(*map(range, k)):
            entry = tuple(s[a] * place[a] + d[a] * offset[a] - around[a][0] for a in range(rank))
            if all(0 <= entry[a] < shape[a] for a in range(rank)):
                met.append((offset, entry))
        yield place, met


def _filled(values: dict[tuple[int, ...], Array]) -> Array:
    """An array [batch, *places, channels] of what stands at each place."""
    places = [max(place[a] for place in values) + 1 for a in range(len(next(iter(values))))]
    first = next(iter(values.values()))
    result = np.zeros((len(first), *places, first.shape[-1]))
    for place, value in values.items():
        result[(slice(None), *place)] = value
    return result


def convolved(
    x: Array, W: Array, b: Any = 0, *, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Array:
    """A convolution in groups of channels."""
    kernel, inside, units = W.shape[:-2], W.shape[-2], W.shape[-1]
    values = {}
    for place, met in _windows(x, kernel, stride, padding, dilation):
        value = np.zeros((len(x), units)) + b
        for unit in range(units):
            group = unit // (units // groups)
            for offset, entry in met:
                for c in range(inside):
                    value[:, unit] += x[(slice(None), *entry, group * inside + c)] * W[(*offset, c, unit)]
        values[place] = value
    return _filled(values)


def transposed(
    x: Array, W: Array, b: Any = 0, *, stride: Any = 1, padding: Any = 0, output_padding: Any = 0
) -> Array:
    """Every entry of x adds its kernel to the result."""
    shape, rank = x.shape[1:-1], x.ndim - 2
    kernel = W.shape[:-2]
    s, p, more = (each(n, rank) for n in (stride, padding, output_padding))
    sizes = [(shape[a] - 1) * s[a] + kernel[a] - 2 * p[a] + more[a] for a in range(rank)]
    result = np.zeros((len(x), *sizes, W.shape[-1])) + b
    for entry in itertools.product(*map(range, shape)):
        for offset in itertools.product(*map(range, kernel)):
            place = tuple(s[a] * entry[a] + offset[a] - p[a] for a in range(rank))
            if all(0 <= place[a] < sizes[a] for a in range(rank)):
                result[(slice(None), *place)] += x[(slice(None), *entry)] @ W[offset]
    return result


def pooled(
    of: Callable[[Array], Array],
    x: Array,
    *,
    kernel: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
) -> Array:
    """What `of` makes of the entries of x in each window, along the first axis."""
    stride = kernel if stride is None else stride
    return _filled(
        {
            place: of(np.stack([x[(slice(None), *entry)] for _, entry in met]))
            for place, met in _windows(x, kernel, stride, padding, dilation)
        }
    )
