"""Numbers that a step draws: Philox 4x32-10 in Python's own integers, as Salmon et al. 2011 have it."""

from __future__ import annotations

from functools import cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

Key = tuple[int, int]
"""The seed, and how many steps went before."""


@cache
def philox(counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    """The four words of a block."""
    (a, b, c, d), (k, m) = counter, key
    for _ in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (q >> 32) ^ b ^ k, q % 2**32, (p >> 32) ^ d ^ m, p % 2**32
        k, m = (k + 0x9E3779B9) % 2**32, (m + 0xBB67AE85) % 2**32
    return a, b, c, d


def drawn_at(places: Iterable[int], stream: int, key: Key) -> np.ndarray:
    """The numbers at some places of a stream."""
    (seed, step), found = key, []
    for place in places:
        counter = (place // 4 % 2**32, place // 4 >> 32, step, stream)
        words = philox(counter, (seed % 2**32, seed >> 32))
        found.append((2 * (words[place % 4] >> 9) + 1) / 2**24)
    return np.array(found)


def drawn(shape: tuple[int, ...], stream: int, key: Key = (0, 0), first: int = 0) -> np.ndarray:
    """The numbers that a tensor of this shape is filled with; `first` entries went before."""
    return drawn_at(range(first, first + prod(shape)), stream, key).reshape(shape)
