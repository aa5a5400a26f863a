"""What a step of training needs of the gradient, where it leaves some parameters as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.terms import Entry
from symgrad.compiler.planning.plan import LoopNest

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.calculus.program import Equation, Program
    from symgrad.compiler.planning.plan import Plan, Step


LEAST_ROWS = 256
"""Fewer are visited faster than they are asked for, and a batch often looks up as many."""

_MATRIX = 2


def rows_of_gradient(program: Program, gradient: str) -> str:
    """The data that say which rows of a gradient there are, those that were looked up; or nothing."""
    made = program.definition[gradient]
    if not made.scatters or made.onto or len(made.indices) != _MATRIX:
        return ""
    row, column = made.indices
    if not isinstance(row, Entry) or isinstance(column, Entry) or program.tensor[row.tensor].kind != "input":
        return ""
    return row.tensor


def looked_up_in_step(program: Program, resting: Collection[str]) -> dict[str, str]:
    """The gradients of which a step needs some rows alone, with the data that name these; `resting` are
    the parameters that a step leaves as they are where they have no gradient. Small tables are visited whole.
    """
    large = [g for g in program.gradients if g.of in resting and _rows(program, g.of) >= LEAST_ROWS]
    named = {g.name: rows_of_gradient(program, g.name) for g in large}
    return {gradient: labels for gradient, labels in named.items() if labels}


def _rows(program: Program, parameter: str) -> int:
    return next((axis.size or 0 for axis in program.tensor[parameter].axes), 0)


def gradient_of_all(plan: Plan) -> tuple[Step, ...]:
    """The steps to the gradient, without those to the next values of states unless a vector takes it in."""
    if not plan.program.next_values or plan.program.accumulated:
        return _gradient_steps(plan)
    return _steps_to(plan, {g.name for g in plan.program.gradients})


def gradient_of_step(plan: Plan, frozen: Collection[str]) -> tuple[Step, ...]:
    """The steps to the gradient of all parameters but the frozen ones, and to the next values of states.

    All stays in its place in memory; a next value takes that of the gradient of its state.
    """
    if not frozen:
        return _gradient_steps(plan)
    program = plan.program
    trained = {t.name for t in program.of_kind("parameter")} - {*frozen}
    gradients = {g.name for g in program.gradients if g.of in trained}
    return _steps_to(plan, gradients | {found.equation for found in program.next_values})


def _gradient_steps(plan: Plan) -> tuple[Step, ...]:
    return tuple(step for phase in plan.phases if phase.name == "gradient" for step in phase.steps)


def _steps_to(plan: Plan, needed: set[str]) -> tuple[Step, ...]:
    steps = [_needed(step, needed) for step in reversed(_gradient_steps(plan))]
    return tuple(step for step in reversed(steps) if step is not None)


def plan_of_step(plan: Plan, frozen: Collection[str]) -> Plan:
    """The plan as a step of training carries it out."""
    phases = (
        replace(p, steps=gradient_of_step(plan, frozen)) if p.name == "gradient" else p for p in plan.phases
    )
    return replace(plan, phases=tuple(phases))


def _needed(step: Step, needed: set[str]) -> Step | None:
    """What is needed of a step; what that reads is then `needed` too."""
    if isinstance(step, LoopNest):
        return _needed_of_nest(step, needed)
    return step if _is_needed(step.equation, needed) else None


def _is_needed(equation: Equation, needed: set[str]) -> bool:
    if equation.target not in needed:
        return False
    needed |= equation.reads
    return True


def _needed_of_nest(nest: LoopNest, needed: set[str]) -> LoopNest | None:
    if nest.carried:
        made = {*(e.target for e in nest.equations), *(tensor.name for tensor in nest.all_carried)}
        if not made & needed:
            return None
        handed_on = (t.carried.reads for t in nest.all_carried if t.carried is not None)
        needed |= made.union(*(e.reads for e in nest.equations), *handed_on)
        return nest
    body: list[LoopNest | Equation] = []
    for part in reversed(nest.body):
        if isinstance(part, LoopNest):
            inner = _needed_of_nest(part, needed)
            if inner is not None:
                body.append(inner)
        elif _is_needed(part, needed):
            body.append(part)
    return replace(nest, body=tuple(reversed(body))) if body else None
