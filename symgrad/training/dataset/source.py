"""What every data format gives: the names of its columns or arrays, and numbers that know their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Selection: TypeAlias = tuple[int, ...]
"""The columns (several) or the array (one) that feed a tensor, as positions in `Source.names`."""


@dataclass(frozen=True)
class SourceNumbers:
    """Real numbers of shape [rows, ...]; `place(row, entry)` names where an entry stands in the file."""

    values: NDArray[Any]
    place: Callable[[int, int], str]


@dataclass(frozen=True)
class Source:
    """A data file whose names are known and whose numbers are read on demand, one block per selection.

    `remedy` is the advice given when the names do not fit the spec; without `has_names` they are numbers.
    """

    label: str
    noun: Literal["column", "array"]
    names: tuple[str, ...]
    read: Callable[[Sequence[Selection]], list[SourceNumbers]]
    remedy: str = "say which columns feed which tensor with 'columns' under 'data'"
    has_names: bool = True
