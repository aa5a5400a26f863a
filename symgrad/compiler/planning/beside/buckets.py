"""Which stretches of the gradient a step finishes one after another: ranks send those that are finished."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from symgrad.compiler.planning.plan import LoopNest, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from symgrad.compiler.planning.plan import Plan, Step

LEAST, MOST = 1 << 18, 8
"""A bucket has at least so many entries, some ten times what is sent in the time of a message without any;
there are about so many at most.
"""


@dataclass(frozen=True)
class Bucket:
    """The gradient from `first` to `last` in the vector of all parameters, finished by so many `steps`."""

    first: int
    last: int
    steps: int


def buckets_of(
    plan: Plan, steps: Sequence[Step], ends: Sequence[int], told: Mapping[str, int] = MappingProxyType({})
) -> tuple[Bucket, ...]:
    """The buckets of the gradient that steps form, in the order in which they are finished.

    That is behind some of the `ends`, numbers of steps, of which the last one is that of all. What ranks have
    `told` each other has changed by so many steps.

    Layers come in the order of their parameters, so the last ones of these are finished first.
    """
    least = max(LEAST, plan.parameter_count // MOST)
    found: list[Bucket] = []
    for part in reversed([*_finished(plan, steps, told)]):
        own = replace(part, steps=ends[min(bisect_left(ends, max(part.steps, 1)), len(ends) - 1)])
        before = found[-1] if found else None
        if before and (before.last - before.first < least or own.steps <= before.steps):
            found[-1] = Bucket(own.first, before.last, max(before.steps, own.steps))
        else:
            found.append(own)
    if not found:
        return (Bucket(0, 0, ends[-1]),)
    return (*found[:-1], replace(found[-1], steps=ends[-1]))


def _finished(plan: Plan, steps: Sequence[Step], told: Mapping[str, int]) -> Iterator[Bucket]:
    """Each parameter's part: what lies there is neither written nor read behind its last step."""
    last: dict[int, int] = {}
    mentioned = ((name, number) for number, step in enumerate(steps, 1) for name in _mentioned(step))
    for name, number in (*mentioned, *told.items()):
        place = plan.places.get(name)
        if place is not None and place.vector in ("grad", "destination"):
            last[place.offset] = max(number, last.get(place.offset, 0))
    first = 0
    for parameter in plan.program.of_kind("parameter"):
        size = size_of(parameter.axes)[1]
        yield Bucket(first, first + size, last.get(first, 0))
        first += size


def _mentioned(step: Step) -> Iterator[str]:
    for equation in step.equations:
        yield equation.target
        yield from equation.reads
    if isinstance(step, LoopNest):
        yield from (tensor.name for tensor in step.all_carried)
