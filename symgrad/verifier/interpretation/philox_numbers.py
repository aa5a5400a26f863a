"""The numbers that a model draws, computed in whole arrays of 64-bit integers.

They are those of Philox 4x32 with ten rounds (Salmon et al., Parallel random numbers: as easy as 1, 2, 3,
2011). Its key is the seed; its counter is made of the number of a block of four entries, of the step, and of
the stream. The k-th word of a block is that of its k-th entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from symgrad.verifier.interpretation.array_library import Array

_ROUNDS, _WORD, _MASK = 10, 32, 2**32 - 1
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_INCREMENTS = (0x9E3779B9, 0xBB67AE85)

BITS = 24
"""A number is an odd one of this many bits, over two to the power of them."""


class Key(NamedTuple):
    """What is drawn by: the seed, and how many steps went before."""

    seed: int = 0
    step: int = 0


INFERENCE = Key()
"""What inference draws by."""


def odd_numbers(places: Array, stream: int, key: Key) -> Array:
    """For each entry, by its place in its tensor, the odd number that it is 2**-24 times of."""
    places = np.asarray(places, dtype=np.uint64)
    words = np.stack(_blocks(places // 4, stream, key))
    chosen = np.take_along_axis(words, (places % 4).astype(np.int64)[None], 0)[0]
    top = chosen // np.uint64(2 ** (_WORD + 1 - BITS))
    return np.asarray(2 * top + 1, dtype=np.int64)


def _blocks(numbers: Array, stream: int, key: Key) -> list[Array]:
    """The four words of every block."""
    whole = (numbers & _MASK, numbers >> _WORD, key.step & _MASK, stream)
    words = [np.broadcast_to(np.asarray(part, dtype=np.uint64), numbers.shape) for part in whole]
    halves = [key.seed & _MASK, key.seed >> _WORD]
    for turn in range(_ROUNDS):
        first, third = (
            words[place] * np.uint64(factor) for place, factor in zip((0, 2), _MULTIPLIERS, strict=True)
        )
        keys = [(h + turn * i) & _MASK for h, i in zip(halves, _INCREMENTS, strict=True)]
        words = [
            (third >> np.uint64(_WORD)) ^ words[1] ^ np.uint64(keys[0]),
            third & np.uint64(_MASK),
            (first >> np.uint64(_WORD)) ^ words[3] ^ np.uint64(keys[1]),
            first & np.uint64(_MASK),
        ]
    return words
