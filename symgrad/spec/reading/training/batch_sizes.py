"""How many rows a step takes: of the first set of points, and of others that are drawn in batches too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from symgrad.errors import SpecError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from symgrad.errors import Position
    from symgrad.spec.model import AxisSpec
    from symgrad.spec.reading.document import Document
    from symgrad.spec.reading.schema import SpecBlock


@dataclass(frozen=True)
class BatchSizes:
    """Of the first set of points, and of others by their axes; those that are not named are whole."""

    first: int | Literal["full"]
    others: tuple[tuple[str, int], ...] = ()


def sets_of_points(axes: Mapping[str, Sequence[AxisSpec]]) -> dict[str, list[str]]:
    """The tensors of each set of points: those whose first axis it is."""
    sets: dict[str, list[str]] = {}
    for name, own in axes.items():
        sets.setdefault(str(own[0]) if own else "", []).append(name)
    return sets


def check_set(name: str, sets: Collection[str], at: Position) -> None:
    """Raise a SpecError unless there is such a set."""
    if name not in sets:
        remedy = did_you_mean(name, sets) or f"expected {', '.join(sets)}"
        problem = f"'{name}' is no set of points: the first axis of no input or target"
        raise SpecError(problem, at=at, remedy=remedy)


def batch_sizes(block: SpecBlock, axes: Mapping[str, Sequence[AxisSpec]], document: Document) -> BatchSizes:
    """What `batch_size` says of each set of points.

    Raises:
        SpecError: for what is no set of points.
    """
    given = block.train.batch_size
    if not isinstance(given, dict):
        return BatchSizes(given)
    free = [name for name in sets_of_points(axes) if name and not name.isdecimal() and name not in block.axes]
    for name in given:
        check_set(name, free, document.place(("train", "batch_size", name)).key)
    sizes = {name: given.get(name, "full") for name in free}
    others = tuple((name, size) for name, size in sizes.items() if name != free[0] and size != "full")
    return BatchSizes(sizes[free[0]] if free else "full", tuple((n, int(s)) for n, s in others))
