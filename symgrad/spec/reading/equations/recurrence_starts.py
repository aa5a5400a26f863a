"""What recurrences start with, as it stands among the equations: `"h[n,-1,i]": 0`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import Position, SpecError
from symgrad.spec.language.formula import parse_entry
from symgrad.spec.language.names import check_name
from symgrad.spec.language.syntax import Binary, Index, Name, Negate, Node, Number, Slice
from symgrad.spec.model import StartSpec
from symgrad.spec.reading.located import formula_at

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from symgrad.spec.reading.document import Document, Key

_FORM = 'write "h[n,-1,i]" for the step before the first, "h[n,T,i]" for the one behind the last of T'


def starts_in(
    blocks: Mapping[str, object], axes: Collection[str], document: Document
) -> dict[str, StartSpec]:
    """The starts among the equations of a spec, by their keys; `axes` are the names of its axes.

    Raises:
        SpecError: an index stands twice in one, or it has two places in time, or is the first step itself.
    """
    entries = {key: _entry(key) for key, text in blocks.items() if "[" in key and isinstance(text, str)}
    names = [key.partition("[")[0].strip() for key in blocks]
    found: dict[str, StartSpec] = {}
    for key, entry in entries.items():
        if entry is None:
            continue
        same = [other for other, name in zip(blocks, names, strict=True) if name == entry.tensor]
        known = axes if len(same) > 1 else ()
        alike = [read for other in same if (read := entries.get(other)) is not None]
        times = _times(entry, alike, known, are_all=len(alike) == len(same))
        start = _start(("equations", key), str(blocks[key]), entry, times, document)
        found |= {key: start} if start is not None else {}
    return found


def _start(
    key: Key, text: str, entry: Index, places: Sequence[tuple[int, str] | None], document: Document
) -> StartSpec | None:
    at = document.place(key).key
    if not any(places):
        return None
    if (1, "0") in places:
        problem = f"step 0 of '{entry.tensor}' is the first that its equation gives, and no start"
        raise SpecError(problem, at=at, remedy=_FORM)
    indices = tuple(
        _named(place) if steps is None else None for place, steps in zip(entry.indices, places, strict=True)
    )
    named = [name for name in indices if name is not None]
    is_whole = {*named} == {":"}
    named = [] if is_whole else named
    if ":" in named or indices.count(None) != 1 or len({*named}) < len(named):
        problem = f"a start of '{entry.tensor}' has one place in time, and an index for each other axis, or :"
        raise SpecError(problem, at=at, remedy=_FORM)
    for name in named:
        check_name(name, at)
    steps, end = next(found for found in places if found is not None)
    return StartSpec(check_name(entry.tensor, at), indices, steps, end, formula_at(document, key, text), at)


def _named(place: Node) -> str | None:
    """The name of an index, or the colon of an axis that is taken whole."""
    if isinstance(place, Slice):
        return ":"
    return place.id if isinstance(place, Name) else None


def _entry(text: str) -> Index | None:
    """The entry on the left, if it is one: what is wrong with others is said where equations are read."""
    try:
        return parse_entry(text, Position("", 1, 1))
    except SpecError:
        return None


def _times(
    entry: Index, alike: Sequence[Index], axes: Collection[str], *, are_all: bool
) -> list[tuple[int, str] | None]:
    """For each index of an entry, the place in time that it is, if it is one; `alike` are all of its tensor.

    A name alone may be an index as well as the end of an axis of this name. It is the end where all else
    that is said of this place are names, too, another among them: `h[n,T,i]` beside `h[n,t,i]`. Where not
    all are read here, as those that declare ranges are not, it is the end.
    """
    said = [place for other in alike for place, node in enumerate(other.indices) if _steps(node, axes)]
    found: list[tuple[int, str] | None] = []
    for place, node in enumerate(entry.indices):
        if isinstance(node, Name):
            others = {other.indices[place] for other in alike if place < len(other.indices)}
            names = {other.id for other in others if isinstance(other, Name)}
            is_end = node.id in axes and (not are_all or (len(names) > 1 and (not said or place in said)))
            found.append((1, node.id) if is_end else None)
        else:
            found.append(_steps(node, axes))
    return found


def _steps(place: Node, axes: Collection[str]) -> tuple[int, str] | None:
    """How many steps a place that is no name is before the first, or behind the end of an axis."""
    match place:
        case Negate(Number(steps)) if steps.denominator == 1 and steps > 0:
            return int(steps), ""
        case Number(end) if end.denominator == 1:
            return 1, str(int(end))
        case Binary("+", Name(axis), Number(more)) if axis in axes and more.denominator == 1:
            return 1 + int(more), axis
    return None
