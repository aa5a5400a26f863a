"""A model as instructions: what the functions of a module do, before they have signatures and text."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from symgrad.compiler.kernels.function_bodies import FunctionBodies
from symgrad.compiler.kernels.update_kernels import (
    first_states_body,
    look_ahead_body,
    state_names,
    update_body,
)
from symgrad.compiler.planning.needed_steps import gradient_of_step
from symgrad.compiler.planning.plan import Phase
from symgrad.compiler.planning.update_plan import plan_update
from symgrad.compiler.targets.numba.own_names import OWN_NAMES
from symgrad.compiler.targets.numba.spelling import called_in
from symgrad.compiler.targets.numba.steps import AccumulationText, accumulated
from symgrad.compiler.targets.numba.update_parts import UpdatePart, update_parts
from symgrad.elaborate.optimizer import AHEAD, after_gradient, elaborate_optimizer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sympy as sp

    from symgrad.calculus.program import Program
    from symgrad.compiler.kernels.instructions import Expression, Instruction
    from symgrad.compiler.planning.plan import PhaseName, Plan
    from symgrad.elaborate.first_values import FirstValues
    from symgrad.spec.model import Model


@dataclass(frozen=True)
class LoweredModel:
    """What is computed, and how; `starts` are what parameters start from.

    `bodies` are those of the plan's phases, `step` is a step of the optimiser, `look_ahead` goes to where it
    takes the gradient, and is empty where that is at the parameters. Where steps do not treat
    all parameters alike, `parts` are what they do to each: `groups` are the rules of those with numbers of
    their own, and `step_gradient` forms the gradient of those that are not frozen. `states` are the names of
    its states, `first_states` what finds their first values, and these.
    """

    model: Model
    plan: Plan
    update: Program
    starts: Mapping[str, FirstValues]
    drivers: FunctionBodies
    bodies: Mapping[PhaseName, tuple[Instruction, ...]]
    step: tuple[Instruction, ...]
    look_ahead: tuple[Instruction, ...]
    accumulation: AccumulationText | None
    groups: tuple[Program, ...]
    parts: tuple[UpdatePart, ...]
    step_gradient: tuple[Instruction, ...]
    states: tuple[str, ...]
    first_states: tuple[tuple[Instruction, ...], tuple[Expression, ...]]

    @property
    def program(self) -> Program:
        return self.plan.program

    @property
    def looks_ahead(self) -> bool:
        return AHEAD in self.update.outputs

    @property
    def called(self) -> set[str]:
        """The functions of numbers that the code calls."""
        kernels = (k.kernel.body for k in self.drivers.kernels.values())
        found = self.accumulation
        shares = (found.shares, found.rest) if found else ()
        parts = chain.from_iterable((part.step, part.ahead) for part in self.parts)
        bodies = (*self.bodies.values(), self.step, self.look_ahead, *shares, *parts)
        return called_in(chain(*kernels, *bodies))


def lowered_model(
    model: Model,
    plan: Plan,
    update: Program,
    starts: Mapping[str, FirstValues],
    states: Mapping[str, sp.Expr],
) -> LoweredModel:
    """The instructions for a plan and a step of the optimiser."""
    looks_ahead = AHEAD in update.outputs
    groups = tuple(elaborate_optimizer(model, named=True, group=group) for group in model.groups)
    parts = update_parts(model, plan.program, update, groups, OWN_NAMES)
    drivers = FunctionBodies(plan, OWN_NAMES.union(*(part.functions for part in parts)))
    names = state_names(update, OWN_NAMES)
    return LoweredModel(
        model=model,
        plan=plan,
        update=update,
        starts=starts,
        drivers=drivers,
        bodies={phase.name: drivers.body(phase) for phase in plan.phases},
        step=update_body(plan_update(after_gradient(update)), OWN_NAMES),
        look_ahead=look_ahead_body(plan_update(update.giving((AHEAD,))), OWN_NAMES) if looks_ahead else (),
        accumulation=accumulated(plan, update, OWN_NAMES),
        groups=groups,
        parts=parts,
        step_gradient=_step_gradient(model, plan, drivers),
        states=tuple(names[name] for name in states),
        first_states=first_states_body(tuple(states.values()), update, OWN_NAMES),
    )


def _step_gradient(model: Model, plan: Plan, drivers: FunctionBodies) -> tuple[Instruction, ...]:
    """What forms the gradient of those parameters that a step changes, where it leaves others as they are."""
    if not model.frozen or not plan.program.loss:
        return ()
    return drivers.body(Phase("gradient", gradient_of_step(plan, model.frozen)))
