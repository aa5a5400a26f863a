"""Passes of which threads take some turns each, in any order and at the same time.

Each part finds what lay in memory before the pass: what another part writes may be there, or not yet. No two
parts write one entry, of which nobody knows whose would stay.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from symgrad.verifier.identity.memory.bounded_memory import BoundsError, View
from symgrad.verifier.identity.memory.remembered import is_same
from symgrad.verifier.identity.memory.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Memory = list[list[Any]]


def in_parts(pass_: Callable[..., Any], turns: int, given: Sequence[Any]) -> None:
    """A pass of so many turns, the first and the last one by themselves.

    Raises:
        BoundsError: two parts write the same entry.
    """
    memory = _memory(given)
    before = [list(content) for content in memory]
    written: dict[tuple[int, int], Any] = {}
    for start, stop in pairwise(sorted({0, 1, turns - 1, turns})):
        pass_(*given, start, stop)
        for place, value in _changes(before, memory):
            if place in written:
                raise BoundsError(f"turns {start} to {stop - 1} of a pass write what turns before them wrote")
            written[place] = value
        for content, old in zip(memory, before, strict=True):
            content[:] = old
    for (number, entry), value in written.items():
        memory[number][entry] = value


def _memory(given: Sequence[Any]) -> Memory:
    """All that arrays lie in, each once, and who wrote what in a workspace."""
    views = [argument for argument in given if isinstance(argument, View)]
    found = {id(view.numbers): view.numbers for view in views}
    found |= {id(view.owners): view.owners for view in views if isinstance(view, Workspace)}
    return [*found.values()]


def _changes(before: Memory, after: Memory) -> list[tuple[tuple[int, int], Any]]:
    return [
        ((number, place), new)
        for number, (olds, news) in enumerate(zip(before, after, strict=True))
        for place, (old, new) in enumerate(zip(olds, news, strict=True))
        if not is_same(old, new)
    ]
