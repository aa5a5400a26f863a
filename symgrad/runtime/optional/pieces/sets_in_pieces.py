"""Several sets of points in pieces, each with the same share of every set; in place of pieces of one."""

import math
from collections.abc import Iterator
from typing import Any

from symgrad.runtime.given_arrays import _given
from symgrad.runtime.smallest_model import AXES, FREE_AXES, INPUTS, SET_ROWS, TARGETS


def _by_pieces(data: tuple[Any, ...]) -> Iterator[tuple[float, tuple[Any, ...]]]:
    """The share that each piece has of every set, and its data; all at once where no such pieces fit."""
    names = INPUTS + TARGETS
    given, extents = _given(names, data)
    rows = extents[: len(FREE_AXES)]
    shares = math.gcd(*rows)
    once = SET_ROWS * shares // sum(rows)
    if once == 0 or once >= shares:
        yield 1.0, data
        return
    firsts = [AXES[name][0] if AXES[name] else 1 for name in names]
    units = [rows[FREE_AXES.index(axis)] // shares if isinstance(axis, str) else 0 for axis in firsts]
    for start in range(0, shares, once):
        stop = min(start + once, shares)
        pairs = zip(given, data, units, strict=True)
        yield (stop - start) / shares, tuple(a[start * u : stop * u] if u else value for a, value, u in pairs)
