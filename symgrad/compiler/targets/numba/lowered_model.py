"""A model as instructions: what the functions of a module do, before they have signatures and text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from symgrad.compiler.kernels.function_bodies import FunctionBodies
from symgrad.compiler.kernels.instructions import Variable
from symgrad.compiler.kernels.shared_turns import has_turns, is_long
from symgrad.compiler.kernels.update_kernels import (
    first_states_body,
    look_ahead_body,
    state_names,
    update_body,
)
from symgrad.compiler.planning.beside.buckets import LEAST
from symgrad.compiler.planning.beside.further_plan import FurtherPlan, StepPlan, steps_of
from symgrad.compiler.planning.beside.shares import SharedPlan
from symgrad.compiler.planning.needed_steps import gradient_of_all, gradient_of_step, looked_up_in_step
from symgrad.compiler.planning.plan import Phase
from symgrad.compiler.planning.update_plan import plan_update, rests
from symgrad.compiler.targets.numba.own_names import OWN_NAMES, SECTIONED
from symgrad.compiler.targets.numba.spelling import called_in
from symgrad.compiler.targets.numba.steps import AccumulationText, accumulated
from symgrad.compiler.targets.numba.updating.finished_gradient import FinishedGradient, finished_gradient
from symgrad.compiler.targets.numba.updating.update_parts import (
    StepPart,
    UpdatePart,
    long_rule,
    step_parts,
    stretch_parts,
    update_parts,
)
from symgrad.elaborate.optimizer import AHEAD, after_gradient, elaborate_optimizer
from symgrad.passes.dividing.exchanges import WHOLE
from symgrad.passes.dividing.pieces_of_batches import Coupling
from symgrad.passes.dividing.separability import RowWeight

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    import sympy as sp

    from symgrad.calculus.program import Program
    from symgrad.compiler.kernels.function_bodies import Sections
    from symgrad.compiler.kernels.instructions import Expression, Instruction
    from symgrad.compiler.planning.beside.buckets import Bucket
    from symgrad.compiler.planning.plan import PhaseName, Plan, Step
    from symgrad.elaborate.starting.first_values import FirstValues
    from symgrad.passes.dividing.separability import InferenceByRows
    from symgrad.spec.model import Model

WHOLE_ROWS = Variable("whole")
"""The rows of all ranks."""
LONGEST_SECTION = 60
"""Statements of a function of LLVM, some of whose passes take a time that grows with the square of these."""


@dataclass(frozen=True)
class PlannedModel:
    """A model with its plan; `update` is a step of the optimiser over hyper-parameters.

    `starts` and `states` are what parameters and states start from, `piece_rows` the rows whose gradient is
    computed at once, 0 for all, `set_rows` those of several sets where callers give all, `sharing` how ranks
    share a batch, or why they cannot, `inference_by_rows` what may be computed some rows at a time, `further`
    the derivatives that the spec asks for beyond
    the gradient and the networks by themselves, `stepping` one step of time where the network can go on step
    by step.
    """

    model: Model
    plan: Plan
    update: Program
    starts: Mapping[str, FirstValues]
    states: Mapping[str, sp.Expr]
    piece_rows: int
    set_rows: int
    sharing: RowWeight | SharedPlan | Coupling
    inference_by_rows: InferenceByRows
    further: tuple[FurtherPlan, ...] = ()
    stepping: StepPlan | None = None

    @property
    def beside(self) -> tuple[FurtherPlan | StepPlan, ...]:
        """What the module computes beside the network and its gradient."""
        return (*self.further, *((self.stepping,) if self.stepping else ()))

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plans of all that the module computes."""
        shared = (self.sharing.plan,) if isinstance(self.sharing, SharedPlan) else ()
        return (self.plan, *(found.plan for found in self.beside), *shared)

    @property
    def sectioned(self) -> tuple[str, ...]:
        """The functions whose sections, where they are long, are named after them, with a number."""
        shared = self.sharing.compiled if isinstance(self.sharing, SharedPlan) else ()
        return (*SECTIONED, *(found.compiled[0] for found in self.beside), *shared)


P = TypeVar("P", FurtherPlan, StepPlan)


@dataclass(frozen=True)
class LoweredBeside(Generic[P]):
    """The instructions of what a module computes beside the network and its gradient."""

    planned: P
    drivers: FunctionBodies
    body: Sections


@dataclass(frozen=True)
class LoweredShares:
    """The instructions of a step whose batch ranks share, share by share."""

    planned: SharedPlan
    drivers: FunctionBodies
    bodies: tuple[Sections, ...]


@dataclass(frozen=True)
class LoweredModel:
    """What is computed, and how; `starts` are what parameters start from.

    `bodies` are those of the plan's phases, long ones in sections, `step` is a step of the optimiser,
    `look_ahead` goes to where it takes the gradient, and is empty where that is at the parameters. Where
    steps do not treat all parameters alike, `parts` are what they do to each: `groups` are the rules of
    those with numbers of their own, and `step_gradient` forms the gradient of those that are not frozen.
    `shared_gradient` is that which ranks form that share a batch, each of its own rows alone.
    Where they do, and the parameters are many, threads take turns of the `long_rule`.
    `step_parts` are what a step does that visits rows of some parameters alone, `stretch_parts` the rules by
    which a rank updates a stretch of them.
    `states` are the names of its states, `first_states` what finds their first values, and these.
    """

    model: Model
    plan: Plan
    update: Program
    starts: Mapping[str, FirstValues]
    drivers: FunctionBodies
    bodies: Mapping[PhaseName, Sections]
    step: tuple[Instruction, ...]
    look_ahead: tuple[Instruction, ...]
    accumulation: AccumulationText | None
    groups: tuple[Program, ...]
    parts: tuple[UpdatePart, ...]
    long_rule: UpdatePart | None
    step_parts: tuple[StepPart, ...]
    stretch_parts: tuple[UpdatePart, ...]
    step_gradient: Sections
    shared_gradient: FinishedGradient | None
    states: tuple[str, ...]
    first_states: tuple[tuple[Instruction, ...], tuple[Expression, ...]]
    piece_rows: int
    set_rows: int
    sharing: RowWeight | LoweredShares | Coupling
    inference_by_rows: InferenceByRows
    further: tuple[LoweredBeside[FurtherPlan], ...]
    stepping: LoweredBeside[StepPlan] | None

    @property
    def is_shared(self) -> bool:
        """Whether it makes steps of training whose batch ranks may share."""
        return bool(self.program.loss) and not isinstance(self.sharing, Coupling)

    @property
    def buckets(self) -> tuple[tuple[int, Bucket], ...]:
        """By which part of a step that ranks share which bucket of the gradient is finished."""
        if isinstance(self.sharing, LoweredShares):
            return self.sharing.planned.buckets
        assert self.shared_gradient is not None, "there is a loss"  # noqa: S101
        return tuple(enumerate(self.shared_gradient.buckets, 1))

    @property
    def beside(self) -> tuple[LoweredBeside[Any], ...]:
        """What the module computes beside the network and its gradient."""
        return (*self.further, *((self.stepping,) if self.stepping else ()))

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plans of all that the module computes."""
        shared = (self.sharing.planned.plan,) if isinstance(self.sharing, LoweredShares) else ()
        return (self.plan, *(found.planned.plan for found in self.beside), *shared)

    @property
    def program(self) -> Program:
        return self.plan.program

    @property
    def looks_ahead(self) -> bool:
        return AHEAD in self.update.outputs

    @property
    def steps_take_sets(self) -> bool:
        """Whether a step may have its points in pieces of several sets; at a point ahead it has not."""
        return bool(self.set_rows and self.program.loss) and not self.looks_ahead

    @property
    def looked_up(self) -> tuple[str, ...]:
        """What the data are called that name the rows which a step visits."""
        return tuple(dict.fromkeys(table.labels for part in self.step_parts for table in part.tables))

    @property
    def has_step_gradient(self) -> bool:
        """Whether a step forms another gradient than callers get."""
        return bool(self.step_gradient or self.program.renewed)

    @property
    def draws(self) -> bool:
        """Whether numbers are drawn somewhere."""
        return any(plan.program.draws for plan in self.plans)

    @property
    def rules(self) -> tuple[UpdatePart, ...]:
        """The rules that the update of all goes by, where these are functions of their own."""
        return self.parts or ((self.long_rule,) if self.long_rule else ())

    @property
    def has_turns(self) -> bool:
        """Whether threads take turns of a pass."""
        rules = (*self.rules, *self.stretch_parts, *(part.rule for part in self.step_parts))
        rest = self.accumulation.rest if self.accumulation else ()
        bodies = (rest, *chain.from_iterable((rule.step, rule.ahead) for rule in rules))
        kernels = (named.kernel.body for named in self.drivers.kernels.values())
        return self.gathers_in_turns or any(map(has_turns, (*bodies, *kernels)))

    @property
    def gathers_in_turns(self) -> bool:
        """Whether threads take turns of gathering the rows of a batch."""
        if not (self.program.loss and self.model.batch_axis) or self.plan.column_axis:
            return False
        given = (*self.program.of_kind("input"), *self.program.of_kind("target"))
        rows = (t.axes for t in given if t.axes and t.axes[0].name == self.model.batch_axis)
        return any(is_long(*(axis.extent for axis in axes)) for axes in rows)

    @property
    def sections(self) -> tuple[Sections, ...]:
        """The bodies of all drivers of the network."""
        shared = self.sharing.bodies if isinstance(self.sharing, LoweredShares) else ()
        beside = (found.body for found in self.beside)
        return (*self.bodies.values(), self.step_gradient, *beside, *shared)

    @property
    def called(self) -> set[str]:
        """The functions of numbers that the code calls."""
        kernels = (k.kernel.body for k in self.drivers.kernels.values())
        found = self.accumulation
        shares = (found.shares, found.rest) if found else ()
        parts = chain.from_iterable((rule.step, rule.ahead) for rule in self.rules)
        bodies = (*chain(*self.sections), self.step, self.look_ahead, *shares, *parts)
        return called_in(chain(*kernels, *bodies))


def lowered_model(planned: PlannedModel) -> LoweredModel:
    """The instructions for a plan and a step of the optimiser."""
    model, plan, update = planned.model, planned.plan, planned.update
    looks_ahead = AHEAD in update.outputs
    groups = tuple(elaborate_optimizer(model, named=True, group=group) for group in model.groups)
    parts = update_parts(model, plan.program, update, groups, OWN_NAMES)
    own = OWN_NAMES.union(
        *(_section_names(plan, planned.sectioned) for plan in planned.plans),
        *(part.functions for part in parts),
        *(found.compiled for found in planned.beside),
        planned.sharing.compiled if isinstance(planned.sharing, SharedPlan) else (),
    )
    drivers = FunctionBodies(plan, own, batch_axis=model.batch_axis)
    names = state_names(update, OWN_NAMES)
    accumulation = accumulated(plan, update, OWN_NAMES)
    resting = () if accumulation is not None else _resting(planned, groups)
    tables = looked_up_in_step(plan.program, resting)
    bodies, step_gradient, shared = _bodies(planned, tables, drivers, own)
    return LoweredModel(
        model=model,
        plan=plan,
        update=update,
        starts=planned.starts,
        drivers=drivers,
        bodies=bodies,
        step=update_body(plan_update(after_gradient(update)), OWN_NAMES),
        look_ahead=look_ahead_body(plan_update(update.giving((AHEAD,))), OWN_NAMES) if looks_ahead else (),
        accumulation=accumulation,
        groups=groups,
        parts=parts,
        long_rule=long_rule(plan.program, update) if not parts else None,
        step_parts=step_parts(
            model,
            plan.program,
            parts,
            update,
            {g.of: drivers.names[tables[g.name]] for g in plan.program.gradients if g.name in tables},
        ),
        stretch_parts=stretch_parts(plan.program, parts, update),
        step_gradient=step_gradient,
        shared_gradient=shared,
        states=tuple(names[name] for name in planned.states),
        first_states=first_states_body(tuple(planned.states.values()), update, OWN_NAMES),
        piece_rows=planned.piece_rows,
        set_rows=planned.set_rows,
        sharing=_lowered_sharing(planned.sharing, own, drivers, model),
        inference_by_rows=planned.inference_by_rows,
        further=tuple(_lowered_beside(found, own, drivers, model) for found in planned.further),
        stepping=_lowered_beside(planned.stepping, own, drivers, model) if planned.stepping else None,
    )


def _lowered_beside(
    planned: P, own: Collection[str], beside: FunctionBodies, model: Model
) -> LoweredBeside[P]:
    drivers = FunctionBodies(planned.plan, own, beside, model.batch_axis)
    body = drivers.sections(Phase("gradient", steps_of(planned.plan)), LONGEST_SECTION)
    return LoweredBeside(planned, drivers, body)


def _lowered_sharing(
    planned: RowWeight | SharedPlan | Coupling, own: Collection[str], beside: FunctionBodies, model: Model
) -> RowWeight | LoweredShares | Coupling:
    if not isinstance(planned, SharedPlan):
        return planned
    drivers = FunctionBodies(planned.plan, own, beside, model.batch_axis, {WHOLE: WHOLE_ROWS.name})
    shares = (Phase("gradient", share.steps) for share in planned.shares)
    return LoweredShares(
        planned, drivers, tuple(drivers.sections(share, LONGEST_SECTION) for share in shares)
    )


def _section_names(plan: Plan, drivers: Collection[str]) -> Iterator[str]:
    """The names that sections of drivers may bear, none of them where no driver has any."""
    most = sum(len(phase.steps) for phase in plan.phases)
    if most > LONGEST_SECTION or plan.parameter_count > LEAST:
        yield from (f"{name}_{n}" for name in drivers for n in range(1, most + 1))


def _called_phases(plan: Plan) -> Iterator[Phase]:
    """The phases as callers ask for them, the last one without what steps alone need."""
    for phase in plan.phases:
        yield replace(phase, steps=gradient_of_all(plan)) if phase.name == "gradient" else phase


def _resting(planned: PlannedModel, groups: Sequence[Program]) -> Collection[str]:
    """The parameters that a step leaves as they are wherever they have no gradient.

    None where it forms a gradient in pieces, which are added up, or states have their next values there.
    """
    model = planned.model
    if planned.piece_rows or model.states or not planned.plan.program.loss:
        return ()
    in_groups = {name for group in model.groups for name in group.parameters}
    rules = zip(model.groups, groups, strict=True)
    resting = {name for group, rule in rules if rests(rule) for name in group.parameters}
    if rests(planned.update):
        parameters = (p.name for p in planned.plan.program.of_kind("parameter"))
        resting |= {name for name in parameters if name not in in_groups}
    return resting.difference(model.frozen)


def _bodies(
    planned: PlannedModel, tables: Mapping[str, str], drivers: FunctionBodies, own: Collection[str]
) -> tuple[dict[PhaseName, Sections], Sections, FinishedGradient | None]:
    """The bodies of all phases; what forms the gradient of what a step changes, where it leaves parameters or
    rows of `tables` as they are; and of these two gradients the one of ranks that share a batch.
    """
    plan, frozen = planned.plan, planned.model.frozen
    is_added_up = plan.program.accumulated
    has_own = bool(frozen or tables) and bool(plan.program.loss) and not is_added_up
    bodies: dict[PhaseName, Sections] = {}
    shared = None
    for phase in _called_phases(plan):
        if phase.name == "gradient" and (tables or not has_own):
            function = "_backward" if is_added_up else "_gradient"
            shared = _finished(planned, drivers, function, phase.steps)
            bodies[phase.name] = shared.sections
        else:
            bodies[phase.name] = drivers.sections(phase, LONGEST_SECTION)
    if not has_own:
        return bodies, (), shared
    steps = gradient_of_step(plan, frozen)
    if tables:
        drivers = FunctionBodies(replace(plan, looked_up=tables), own, drivers)
        return bodies, drivers.sections(Phase("gradient", steps), LONGEST_SECTION), shared
    shared = _finished(planned, drivers, "_step_gradient", steps)
    return bodies, shared.sections, shared


def _finished(
    planned: PlannedModel, drivers: FunctionBodies, function: str, steps: tuple[Step, ...]
) -> FinishedGradient:
    """The gradient in parts, where ranks share batches whose rows do not know of each other."""
    has_parts = isinstance(planned.sharing, RowWeight)
    return finished_gradient(drivers, function, steps, LONGEST_SECTION, in_parts=has_parts)
