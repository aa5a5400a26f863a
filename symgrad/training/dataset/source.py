"""What every data format gives: the names of its columns or arrays, and their cells, part by part."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from symgrad.training.dataset.column import Column, joined
from symgrad.training.dataset.preparation import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from symgrad.training.dataset.preparation import Windows

Selection: TypeAlias = tuple[int, ...]
"""The columns (several) or the array (one) that feed a tensor, as positions in `Source.names`."""


@dataclass(frozen=True)
class Source:
    """Data whose names are known and whose cells are read on demand.

    `parts(positions, words)` reads these columns some rows at a time; those in `words` as they are written,
    where the format is a text. `given` says which columns feed which tensor, where the data say it.
    `remedy` is the advice given when the names do not fit the spec; without `has_names` they are numbers.
    Rows may be `windows` of a text or a series; others may stand in any order. `dialect` is what was said of
    a CSV file.
    """

    label: str
    noun: Literal["column", "array"]
    names: tuple[str, ...]
    parts: Callable[[Sequence[int], Collection[int]], Iterator[list[Column]]]
    remedy: str = "say which columns feed which tensor with 'columns' under 'data'"
    has_names: bool = True
    given: tuple[tuple[str, tuple[str, ...]], ...] = ()
    windows: Windows | None = None
    dialect: Dialect = field(default_factory=Dialect)

    def read(self, positions: Sequence[int], words: Collection[int] = ()) -> list[Column]:
        """These columns or arrays, whole. No part at all: no columns."""
        waiting = [list(parts) for parts in zip(*self.parts(positions, words), strict=True)]
        # What is joined leaves the list, so that no more than one column is in memory twice.
        return [joined(waiting.pop(0)) for _ in range(len(waiting))]
