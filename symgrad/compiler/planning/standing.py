"""What still stands in the workspace when phases have been computed, as memory is used again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.planning.plan import LoopNest, size_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from symgrad.compiler.planning.plan import PhaseName, Plan


def standing(plan: Plan, phases: Collection[PhaseName]) -> tuple[str, ...]:
    """The tensors that nothing was written over after them, in the order in which they are computed."""
    found: list[str] = []
    for written in _written(plan, phases):
        found = [name for name in found if not _overlap(plan, name, written)]
        found.append(written)
    apart = plan.by_rows | plan.program.carried.keys()
    return tuple(name for name in found if name not in apart)


def _written(plan: Plan, phases: Collection[PhaseName]) -> Iterator[str]:
    """What is written to the workspace, in order; what a recurrence carries begins before its equations."""
    for step in (step for phase in plan.phases if phase.name in phases for step in phase.steps):
        nest = step if isinstance(step, LoopNest) else None
        carried, local = (nest.all_carried, nest.local) if nest else ((), frozenset())
        for name in (*(tensor.name for tensor in carried), *(e.target for e in step.equations)):
            if name not in local and plan.places[name].vector == "work":
                yield name


def _overlap(plan: Plan, one: str, other: str) -> bool:
    """Whether two tensors of the workspace share memory: what is counted in other units lies apart."""
    first, second = (
        (plan.places[n].unit, plan.places[n].offset, size_of(plan.axes_in_memory(n))[1]) for n in (one, other)
    )
    if first[0] != second[0]:
        return False
    return first[1] < second[1] + second[2] and second[1] < first[1] + first[2]
