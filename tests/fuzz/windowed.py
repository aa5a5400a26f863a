"""Layers over windows as they are defined: one window after another, on arrays with an axis of probes first.

Arrays are [probes, batch, places..., channels], kernels [probes, places..., channels, units].
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fuzz.arithmetic import Arithmetic

    Options = Mapping[str, Any]

EVERY = slice(None)


def per_axis(given: Any, rank: int) -> tuple[int, ...]:
    return tuple(given) if isinstance(given, tuple) else (given,) * rank


def ends(size: int, kernel: int, stride: int, dilation: int, padding: Any) -> tuple[int, int]:
    """How much is put before and after an axis; of an odd number the larger part stands behind."""
    if isinstance(padding, int):
        return padding, padding
    reach = dilation * (kernel - 1)
    if padding == "causal":
        return reach, 0
    missing = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0) if padding == "same" else 0
    return missing // 2, missing - missing // 2


def windows(
    x: np.ndarray, kernel: Sequence[int], options: Options, filling: Any = 0
) -> dict[tuple[int, ...], dict[tuple[int, ...], np.ndarray]]:
    """For each place of the result the entries [probes, batch, channels] in its window, by their offset."""
    rank = x.ndim - 3
    strides, dilations = (per_axis(options.get(n, 1), rank) for n in ("stride", "dilation"))
    paddings = options.get("padding", 0)
    paddings = (paddings,) * rank if isinstance(paddings, str) else per_axis(paddings, rank)
    sizes = x.shape[2:-1]
    around = [ends(*axis) for axis in zip(sizes, kernel, strides, dilations, paddings, strict=True)]
    wide = np.pad(x, [(0, 0), (0, 0), *around, (0, 0)], constant_values=filling)
    counts = [
        (size - d * (k - 1) - 1) // s + 1
        for size, k, s, d in zip(wide.shape[2:-1], kernel, strides, dilations, strict=True)
    ]

    def read(place: tuple[int, ...], at: tuple[int, ...]) -> np.ndarray:
        along = zip(strides, place, dilations, at, strict=True)
        return wide[EVERY, EVERY, *(s * i + d * u for s, i, d, u in along)]

    return {place: {at: read(place, at) for at in np.ndindex(*kernel)} for place in np.ndindex(*counts)}


def assembled(entries: Mapping[tuple[int, ...], np.ndarray]) -> np.ndarray:
    """One array of [probes, batch, channels] at each place."""
    counts = [max(axis) + 1 for axis in zip(*entries, strict=True)]
    probes = max(entry.shape[0] for entry in entries.values())
    _, rows, channels = next(iter(entries.values())).shape
    found = np.empty((probes, rows, *counts, channels), np.result_type(*entries.values()))
    for place, entry in entries.items():
        found[EVERY, EVERY, *place] = entry
    return found


def correlated(x: np.ndarray, kernel: np.ndarray, options: Options) -> np.ndarray:
    """A convolution: each group of channels gives its own units."""
    groups = x.shape[-1] if options.get("groups") == "channels" else options.get("groups", 1)
    inner, outer = x.shape[-1] // groups, kernel.shape[-1] // groups

    def entry(window: Mapping[tuple[int, ...], np.ndarray]) -> np.ndarray:
        parts = []
        for g in range(groups):
            seen, made = slice(g * inner, (g + 1) * inner), slice(g * outer, (g + 1) * outer)
            parts.append(
                sum(np.matmul(w[..., seen], kernel[EVERY, *u][..., made]) for u, w in window.items())
            )
        return np.concatenate(parts, axis=-1)

    return assembled({i: entry(w) for i, w in windows(x, kernel.shape[1:-2], options).items()})


def scattered(x: np.ndarray, kernel: np.ndarray, options: Options) -> np.ndarray:
    """A transposed convolution: each entry of x times the kernel, added up where it lies."""
    sizes, reach, rank = x.shape[2:-1], kernel.shape[1:-2], x.ndim - 3
    strides, paddings, extra = (
        per_axis(options.get(n, d), rank) for n, d in (("stride", 1), ("padding", 0), ("output_padding", 0))
    )
    counts = [
        (n - 1) * s + k + e - 2 * p
        for n, s, k, e, p in zip(sizes, strides, reach, extra, paddings, strict=True)
    ]
    probes = max(x.shape[0], kernel.shape[0])
    found = np.zeros((probes, x.shape[1], *counts, kernel.shape[-1]), np.result_type(x, kernel))
    for place, at in product(np.ndindex(*sizes), np.ndindex(*reach)):
        to = [s * i + u - p for s, i, u, p in zip(strides, place, at, paddings, strict=True)]
        if all(0 <= i < n for i, n in zip(to, counts, strict=True)):
            found[EVERY, EVERY, *to] += np.matmul(x[EVERY, EVERY, *place], kernel[EVERY, *at])
    return found


def pooled(kind: str, x: np.ndarray, options: Options, arithmetic: Arithmetic) -> np.ndarray:
    """The largest entry or the mean of each window."""
    kernel = per_axis(options["kernel"], x.ndim - 3)
    options = {**options, "stride": options.get("stride", options["kernel"])}
    is_max = kind == "max"
    found = windows(x, kernel, options, -arithmetic.hidden()[0] if is_max else 0)
    reduced = largest(arithmetic) if is_max else mean
    return assembled({i: reduced(np.stack([*w.values()], axis=-1)) for i, w in found.items()})


def mean(z: np.ndarray) -> np.ndarray:
    return np.asarray(z.sum(axis=-1) / z.shape[-1])


def largest(arithmetic: Arithmetic) -> Callable[[np.ndarray], np.ndarray]:
    return lambda z: arithmetic.extreme(z, 1)


def pooled_whole(kind: str, x: np.ndarray, arithmetic: Arithmetic) -> np.ndarray:
    """One entry for each channel."""
    rows = np.moveaxis(x, -1, 2).reshape(*x.shape[:2], x.shape[-1], -1)
    return arithmetic.extreme(rows, 1) if kind == "max" else mean(rows)


def pooled_to(x: np.ndarray, output: Any) -> np.ndarray:
    """The means of equal windows, so many of them."""
    size = tuple(n // o for n, o in zip(x.shape[2:-1], per_axis(output, x.ndim - 3), strict=True))
    found = windows(x, size, {"stride": size})
    return assembled({i: mean(np.stack([*w.values()], axis=-1)) for i, w in found.items()})


def enlarged(x: np.ndarray, factor: Any, mode: str) -> np.ndarray:
    """Every entry repeated, or a line between the middles of two."""
    for axis, times in enumerate(per_axis(factor, x.ndim - 3), start=2):
        if mode == "nearest":
            x = np.repeat(x, times, axis)
            continue
        last = x.shape[axis] - 1
        made = []
        for i in range(times * (last + 1)):
            place = min(max((2 * i + 1 - times) / (2 * times), 0.0), float(last))
            low = int(place)
            share = np.longdouble(2 * i + 1 - times) / (2 * times) - low if 0 < place < last else 0
            made.append(x.take(low, axis) * (1 - share) + x.take(min(low + 1, last), axis) * share)
        x = np.stack(made, axis)
    return x
