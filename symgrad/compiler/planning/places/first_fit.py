"""Places in the workspace: the lowest one at which no piece of memory meets another that is needed with it.

What equal layers keep for the backward pass lies in frames, one for each layer, as large as all of it
together: so the places of all layers are a stride apart, and one loop runs over them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from symgrad.compiler.planning.places.chains import Chain, chains_of, families, in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from symgrad.compiler.planning.places.equal_steps import Run
    from symgrad.compiler.planning.places.lifetimes import Buffer
    from symgrad.compiler.planning.plan import Monomial

LINE = 16
"""As many numbers as the cache of a processor takes at once, of float32; of float64 in two parts."""


@dataclass
class Memory:
    """Of one unit of the workspace: what lies where, and when it is needed, and how large it is by now.

    Its first `fixed` numbers are always taken.
    """

    fixed: int = 0
    taken: list[tuple[int, int, int, int]] = field(default_factory=list)
    size: int = 0

    def __post_init__(self) -> None:
        self.size = self.fixed

    def put(self, chain: Chain, strides: Sequence[int]) -> dict[str, int]:
        """Place a chain with that of some strides with which this memory grows least."""
        table = np.array(self.taken, np.int64).reshape(-1, 4)
        found = ((self._lowest(chain, stride, table), stride) for stride in strides)
        base, stride = min(found, key=lambda f: max(self.size, _end(chain, *f)))
        places: dict[str, int] = {}
        for position, buffer in chain.members.items():
            start = base + position * stride
            self.taken.append((start, start + buffer.amount, buffer.first, buffer.last))
            places.update(dict.fromkeys(buffer.names, start))
        self.size = max(self.size, _end(chain, base, stride))
        return places

    def _lowest(self, chain: Chain, stride: int, table: np.ndarray) -> int:
        """The lowest place of position 0 where no piece meets what is taken while it is needed."""
        least = max(self.fixed - position * stride for position in chain.members)
        barred = [
            self._barred(position * stride, buffer, table) for position, buffer in chain.members.items()
        ]
        after, before = np.concatenate(barred).T
        order = np.argsort(after)
        after, ends = after[order], np.maximum.accumulate(before[order])
        free = np.maximum(least, np.concatenate([[least], ends]))  # behind all of the first so many
        fits = free[:-1] <= after
        return int(free[int(fits.argmax()) if fits.any() else -1])

    def _barred(self, moved: int, buffer: Buffer, table: np.ndarray) -> np.ndarray:
        """The open intervals of places of position 0 at which a piece would meet another."""
        start, end, first, last = table.T
        meets = (first <= buffer.last) & (last >= buffer.first)
        found: np.ndarray = np.stack([start - buffer.amount - moved, end - moved], axis=1)[meets]
        return found


def _end(chain: Chain, base: int, stride: int) -> int:
    return max(base + position * stride + buffer.amount for position, buffer in chain.members.items())


def places_of(
    buffers: Sequence[Buffer], runs: Iterable[Run], fixed: int
) -> tuple[dict[str, int], tuple[tuple[Monomial, int], ...]]:
    """The place of every tensor in its unit, behind the `fixed` numbers of constants; every unit's size.

    What is there once fills whole lines of the cache, so that what has an entry for each row begins with one.
    """
    chains = tuple(chains_of(buffers, runs))
    frames = _frames(chains)
    memory: dict[Monomial, Memory] = {(): Memory(fixed)} if fixed else {}
    places: dict[str, int] = {}
    for chain in in_order(chains):
        unit = chain.any.unit
        places |= memory.setdefault(unit, Memory()).put(
            chain, tuple(_strides(chain, frames.get(id(chain), ())))
        )
    sizes = ((unit, each.size if unit else -(-each.size // LINE) * LINE) for unit, each in memory.items())
    return places, tuple(sorted(sizes, key=lambda sized: (len(sized[0]), sized[0])))


def _frames(chains: Sequence[Chain]) -> Mapping[int, Sequence[int]]:
    """The sizes of the frames that a chain may move by, in its own unit."""
    family = families(chains)
    sizes: dict[tuple[int, Monomial], int] = {}
    for chain in chains:
        if chain.reach > 1:
            key = family[min(chain.runs)], chain.any.unit
            sizes[key] = sizes.get(key, 0) + chain.any.amount
    return {
        id(chain): tuple(
            size
            for run in sorted({family[run] for run in chain.runs})
            if (size := sizes.get((run, chain.any.unit)))
        )
        for chain in chains
    }


def _strides(chain: Chain, frames: Sequence[int]) -> Iterator[int]:
    """By how much a chain may move, the best first: not at all, or by a frame, up or down."""
    amount = chain.any.amount
    if not chain.reach:
        yield 0
    if len(chain.members) == 1:
        return
    possible = [frame for frame in frames if frame >= amount] or [amount]
    for frame in possible:
        yield frame
        if chain.reach <= 1:
            yield -frame
