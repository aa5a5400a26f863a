"""Which tensors share one piece of memory, and from which step to which it is theirs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.compiler.planning.loop_orders import entries_of
from symgrad.compiler.planning.places.single_rows import row_to_take
from symgrad.compiler.planning.plan import LoopNest, Monomial, size_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.calculus.program import Equation, Loop, Program
    from symgrad.compiler.planning.plan import Phase, Plan, Step


@dataclass
class Buffer:
    """Memory for `amount` numbers of a unit, needed from step `first` to step `last`, both included.

    The tensors in it are `names`, each of which but the last hands it over to the next one.
    """

    unit: Monomial
    amount: int
    first: int
    last: int
    names: list[str]


def buffers_of(plan: Plan) -> list[Buffer]:
    """The memory of all that is computed and has no place in the plan yet, in the order of the steps."""
    program, phases, blocks = plan.program, plan.phases, plan.blocks
    steps = [step for phase in phases for step in phase.steps]
    phase_of = {e.target: phase.name for phase in phases for step in phase.steps for e in step.equations}
    last_use = _last_uses(program, phases, steps) | dict.fromkeys(plan.kept, len(steps))
    handed_on = {n for t in program.carried for n in (t, *program.carried[t].reads)}
    found: list[Buffer] = []
    owned: dict[str, Buffer] = {}
    known = {*plan.places}
    for number, step in enumerate(steps):
        local = step.local if isinstance(step, LoopNest) else frozenset()
        handed_over: set[str] = set(handed_on)
        for tensor in step.all_carried if isinstance(step, LoopNest) else ():
            if tensor.name in owned:
                continue  # the step is made again
            last = max(number, last_use[tensor.name])
            amount = size_of(plan.axes_in_memory(tensor.name))
            owned[tensor.name] = Buffer(*amount, number, last, [tensor.name])
            found.append(owned[tensor.name])
        for name in (blocks[e.target] for e in step.equations if e.target in blocks):
            if name not in owned:
                owned[name] = Buffer(*size_of(plan.axes_in_memory(name)), number, number, [name])
                found.append(owned[name])
            owned[name].last = number
        for equation in step.equations:
            name = equation.target
            if name in known or name in local:
                continue
            known.add(name)
            read = _read_through_locals(equation, step, local)
            ends_here = {n for n in read if last_use.get(n) == number and n not in handed_over}
            same_phase = {n for n in ends_here & owned.keys() if phase_of.get(n) == phase_of[name]}
            giver = equation.onto or _in_place_of(equation, step, plan, same_phase)
            giver = giver or row_to_take(plan, step, equation, [n for n in owned if n not in handed_on])
            last = max(number, last_use[name])
            if giver:
                handed_over.add(giver)
                owned[name] = owned.pop(giver)
                owned[name].names.append(name)
                owned[name].last = max(owned[name].last, last)  # a row may be made again in a later step
            else:
                owned[name] = Buffer(*size_of(plan.axes_in_memory(name)), number, last, [name])
                found.append(owned[name])
    return found


def _read_through_locals(equation: Equation, step: Step, local: frozenset[str]) -> set[str]:
    """What an equation reads, and what is read for the locals among it."""
    made = {e.target: e for e in step.equations}
    found: set[str] = set()
    for name in equation.reads:
        found |= {name} if name not in local else _read_through_locals(made[name], step, local)
    return found


def _last_uses(program: Program, phases: tuple[Phase, ...], steps: list[Step]) -> dict[str, int]:
    """The number of the last step that needs a tensor; what a caller may fetch stays to the phase's end."""
    last: dict[str, int] = {}
    for number, step in enumerate(steps):
        for equation in step.equations:
            last[equation.target] = max(last.get(equation.target, 0), number)
            for name in equation.reads:
                last[name] = number
        for tensor in step.all_carried if isinstance(step, LoopNest) else ():
            last |= dict.fromkeys((tensor.name, *program.carried[tensor.name].reads), number)
    ends, end = {}, -1
    for phase in phases:
        end += len(phase.steps)
        ends[phase.name] = end
    for name in program.outputs:
        last[name] = max(last.get(name, 0), ends["prediction"])
    for name in program.prediction:
        last[name] = max(last.get(name, 0), ends["prediction"])
    for gradient in program.gradients:
        last[gradient.name] = ends["gradient"] + 1
    if program.evaluation is not None:
        last[program.evaluation] = max(last.get(program.evaluation, 0), ends["evaluation"])
    if program.loss is not None:
        last[program.loss] = max(last.get(program.loss, 0), ends["loss"])
    return last


def _in_place_of(equation: Equation, step: Step, plan: Plan, candidates: Collection[str]) -> str | None:
    """A tensor read here for the last time whose memory the target can take over, entry by entry.

    Both must be of one phase, so that the name they share in the module fits both, which no other name fits
    for a greatest or a least entry.
    """
    if not isinstance(step, LoopNest) or not equation.is_elementwise or equation.scatters:
        return None
    program, extents = plan.program, [a.extent for a in plan.axes_in_memory(equation.target)]
    for name in (e.target for e in reversed(program.equations) if e.target in candidates):  # not by spelling:
        # equal layers, whatever their numbers, then lie in memory alike and become one loop
        if program.tensor[name].kind in ("value", "constant"):
            continue
        if program.definition[name].reduction in ("max", "min"):
            continue
        same_shape = [a.extent for a in plan.axes_in_memory(name)] == extents
        if same_shape and _read_row_by_row(name, equation, step):
            return name
    return None


def _read_row_by_row(name: str, equation: Equation, nest: LoopNest) -> bool:
    """Whether no entry of `name` is read after the equation overwrites it."""
    position = nest.equations.index(equation)
    if any(name in later.reads for later in nest.equations[position + 1 :]):
        return False
    together = next(equations for _, equations in nest.parts() if equation in equations)
    if any(e.indices != equation.indices for e in entries_of(together) if e.tensor == name):
        return False
    shared = tuple(loop.index for loop in _loops_of_steps(equation, nest))
    return all(
        e.indices[: len(shared)] == shared for e in entries_of(nest.equations[:position]) if e.tensor == name
    )


def _loops_of_steps(equation: Equation, nest: LoopNest) -> tuple[Loop, ...]:
    """The loops of a nest, and those over the steps of a recurrence in it, around an equation."""
    inner = (part for part in nest.body if isinstance(part, LoopNest) and part.carried)
    return (*nest.loops, *(loop for part in inner if equation in part.equations for loop in part.loops))
