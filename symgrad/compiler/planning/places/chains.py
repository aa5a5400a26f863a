"""Chains: pieces of memory that stand for each other in equal layers, to lie one stride apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from symgrad.compiler.planning.places.equal_steps import Run
    from symgrad.compiler.planning.places.lifetimes import Buffer


@dataclass
class Chain:
    """Pieces of memory by their position: from one to the next it is one stride. `runs` are its users."""

    members: dict[int, Buffer]
    runs: set[int] = field(default_factory=set)

    @property
    def first(self) -> int:
        """The step that needs it first."""
        return min(buffer.first for buffer in self.members.values())

    @property
    def any(self) -> Buffer:
        """One of its pieces, which are all of one size."""
        return next(iter(self.members.values()))

    @property
    def reach(self) -> int:
        """How many positions apart two pieces are at most that are needed at the same time."""
        pairs = combinations(self.members.items(), 2)
        return max(
            (abs(i - j) for (i, a), (j, b) in pairs if a.first <= b.last and b.first <= a.last), default=0
        )


def chains_of(buffers: Sequence[Buffer], runs: Iterable[Run]) -> tuple[Chain, ...]:
    """Every piece of memory, in a chain of its own where no run of equal layers puts it in a longer one."""
    owner = {name: buffer for buffer in buffers for name in buffer.names}
    chain_of: dict[int, tuple[Chain, int]] = {id(buffer): (Chain({0: buffer}), 0) for buffer in buffers}
    for number, run in enumerate(runs):
        for column in run:
            if all(name in owner for name in column):
                _link([owner[name] for name in column], number, chain_of)
    return tuple({id(chain): chain for chain, _ in chain_of.values()}.values())


def _link(column: Sequence[Buffer], run: int, chain_of: dict[int, tuple[Chain, int]]) -> None:
    """Put pieces into one chain, in this order or the reverse one; as they were, where that cannot be."""
    is_one_size = len({(buffer.unit, buffer.amount) for buffer in column}) == 1
    if not is_one_size or len({id(buffer) for buffer in column}) < len(column):
        return
    longest = max((chain_of[id(buffer)][0] for buffer in column), key=lambda chain: len(chain.members))
    inside = [(n, chain_of[id(b)][1]) for n, b in enumerate(column) if chain_of[id(b)][0] is longest]
    (n, position), *others = inside
    sign = 1 if not others or others[0][1] > position else -1
    members = dict(longest.members)
    for other, buffer in enumerate(column):
        if members.setdefault(position + sign * (other - n), buffer) is not buffer:
            return
        chain = chain_of[id(buffer)][0]
        if chain is not longest and len(chain.members) > 1:
            return
    if len({id(buffer) for buffer in members.values()}) < len(members):
        return
    longest.members = members
    longest.runs.add(run)
    chain_of.update({id(buffer): (longest, place) for place, buffer in members.items()})


def families(chains: Iterable[Chain]) -> Mapping[int, int]:
    """A number for each run, the same for runs that use pieces of one chain which are all needed at once."""
    found: dict[int, int] = {}
    for chain in chains:
        linked = {found.setdefault(run, run) for run in chain.runs}
        if chain.reach > 1:
            found.update({run: min(linked) for run, family in found.items() if family in linked})
    return found


def in_order(chains: Iterable[Chain]) -> Iterator[Chain]:
    """Those whose pieces are all needed at once first, then as they are needed."""
    return iter(sorted(chains, key=lambda chain: (chain.reach <= 1, chain.first)))
