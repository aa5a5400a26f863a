"""What still stands in the workspace when phases have been computed, as memory is used again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.planning.plan import LoopNest, size_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from symgrad.calculus.program import Equation
    from symgrad.compiler.planning.plan import PhaseName, Plan


def standing(plan: Plan, phases: Collection[PhaseName]) -> tuple[str, ...]:
    """The tensors that nothing was written over after them, in the order in which they are computed."""
    found: list[str] = []
    for equation in _kept_equations(plan, phases):
        found = [name for name in found if not _overlap(plan, name, equation.target)]
        found.append(equation.target)
    return tuple(name for name in found if name not in plan.by_rows)


def _kept_equations(plan: Plan, phases: Collection[PhaseName]) -> Iterator[Equation]:
    """Those whose targets lie in the workspace, in order."""
    for step in (step for phase in plan.phases if phase.name in phases for step in phase.steps):
        local = step.local if isinstance(step, LoopNest) else frozenset()
        for equation in step.equations:
            if equation.target not in local and plan.places[equation.target].vector == "work":
                yield equation


def _overlap(plan: Plan, one: str, other: str) -> bool:
    """Whether two tensors of the workspace share memory: what is counted in other units lies apart."""
    first, second = (
        (plan.places[n].unit, plan.places[n].offset, size_of(plan.axes_in_memory(n))[1]) for n in (one, other)
    )
    if first[0] != second[0]:
        return False
    return first[1] < second[1] + second[2] and second[1] < first[1] + first[2]
