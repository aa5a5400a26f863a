"""Where the entries lie that a step of the optimiser changes, where it leaves others as they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from symgrad.compiler.planning.plan import size_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from symgrad.calculus.program import Tensor


@dataclass(frozen=True)
class Span:
    """Parameters side by side: `size` entries from `first` in the vector of all, from `kept` in a state."""

    names: tuple[str, ...]
    first: int
    size: int
    kept: int


def spans_of(
    parameters: Sequence[Tensor], frozen: Collection[str], chosen: Collection[str]
) -> tuple[Span, ...]:
    """The spans of the `chosen` parameters, as long as can be; states have no entries for `frozen` ones."""
    found: list[Span] = []
    first = kept = 0
    for parameter in parameters:
        size = size_of(parameter.axes)[1]
        if parameter.name in chosen:
            found.append(Span((parameter.name,), first, size, kept))
        first += size
        kept += 0 if parameter.name in frozen else size
    return merged(found)


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same entries in as few spans as can be, in their order."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda span: span.first):
        before = found[-1] if found else None
        if before is not None and before.first + before.size == span.first:
            found[-1] = replace(before, names=(*before.names, *span.names), size=before.size + span.size)
        else:
            found.append(span)
    return tuple(found)


def trained_size(parameters: Sequence[Tensor], frozen: Collection[str]) -> int:
    """How many entries a state has."""
    return sum(size_of(p.axes)[1] for p in parameters if p.name not in frozen)
