"""The way from a spec to its module: every stage in one list, from one frozen type to the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from symgrad.calculus.deriving.stops import without_stops
from symgrad.calculus.deriving.vanishing import without_vanishing
from symgrad.calculus.differentiate import differentiate
from symgrad.calculus.simplify import simplify
from symgrad.calculus.simplifying.sums import reuse_sums
from symgrad.compiler.planning.accumulation import accumulation_of
from symgrad.compiler.planning.beside.further_plan import FurtherPlan, StepPlan, steps_of
from symgrad.compiler.planning.beside.shares import SharedPlan, shared_plan, shares_of
from symgrad.compiler.planning.memory import plan_memory
from symgrad.compiler.planning.places.formed_again import formed_again
from symgrad.compiler.planning.places.parts_that_fit import in_parts, parts_that_fit
from symgrad.compiler.planning.places.pieces import rows_at_once
from symgrad.compiler.planning.samples_innermost import column_axis
from symgrad.compiler.planning.schedule import schedule
from symgrad.compiler.targets.numba.emit import ClockedText, emit, emit_clocked
from symgrad.compiler.targets.numba.lowered_model import PlannedModel
from symgrad.compiler.targets.python.python_module import python_text
from symgrad.elaborate.elaborate import elaborate
from symgrad.elaborate.optimizer import elaborate_optimizer
from symgrad.elaborate.starting.first_values import FirstValues, first_states, first_values
from symgrad.errors import SpecError
from symgrad.passes.accumulate import accumulate
from symgrad.passes.derivative_values import derivatives_with_values
from symgrad.passes.diagonals import with_diagonals
from symgrad.passes.dividing.exchanges import SharedProgram, shared_program
from symgrad.passes.dividing.pieces_of_batches import Coupling
from symgrad.passes.dividing.separability import (
    InferenceByRows,
    RowWeight,
    as_one_set,
    check_micro_batches,
    inference_by_rows,
    weight_of_pieces,
    why_no_mean,
)
from symgrad.passes.expand_logsumexp import expand_logsumexp
from symgrad.passes.further.further_program import further_program
from symgrad.passes.further.network_inputs import network_inputs
from symgrad.passes.further.one_step import one_step
from symgrad.passes.guarding.guards import guard
from symgrad.passes.magnitudes import check_magnitudes
from symgrad.passes.memory.inverse_roots import with_inverse_roots
from symgrad.passes.memory.orders import with_memory_orders
from symgrad.passes.memory.outer_products import with_outer_products
from symgrad.passes.memory.recurrent_parts import check_parts, steps_as_parts, with_parts
from symgrad.passes.memory.steps_first import with_steps_first
from symgrad.passes.memory.turned_factors import with_turned_factors
from symgrad.passes.memory.values_again import with_values_again
from symgrad.passes.recurrences import check_recurrences
from symgrad.passes.rounding.centring import centred_twice
from symgrad.passes.rounding.factor_orders import with_factor_orders
from symgrad.passes.rounding.root_differences import without_root_differences
from symgrad.passes.rounding.scaled_powers import with_scaled_powers
from symgrad.passes.scattering.nested_placements import with_single_placements
from symgrad.passes.scattering.scatter_chains import chain_scatters
from symgrad.passes.sign_tests import choose_by_outputs
from symgrad.passes.stabilise import stabilise
from symgrad.passes.standardised import with_standardised
from symgrad.passes.windowing.windows import with_windows
from symgrad.spec.expand import expand
from symgrad.spec.expansion.layers.network_functions import model_of
from symgrad.spec.expansion.steps.drawn_prediction import with_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import sympy as sp

    from symgrad.calculus.program import Program
    from symgrad.compiler.planning.plan import Phase, Plan
    from symgrad.passes.further.one_step import OneStep
    from symgrad.spec.model import DrawnPrediction, FurtherDerivative, Model, NetworkFunction, Spec

T = TypeVar("T")


class Stage(cached_property[T]):
    """One stage: what it gives is computed when it is first asked for, and kept. Its docstring is its row."""

    def __init__(self, way: str, compute: Callable[[Any], T]) -> None:
        super().__init__(compute)
        self.way = way


def stage(way: str) -> Callable[[Callable[[Any], T]], Stage[T]]:
    """The next stage of the list; `way` says from which type to which it leads."""
    return lambda compute: Stage(way, compute)


@dataclass(frozen=True)
class Stages:
    """What a model becomes on its way to a module, stage by stage.

    `part` is a program that stands for the formulas, where a part of the model alone is asked about.
    """

    model: Model
    part: Program | None = None

    @stage("Model → Program")
    def formulas(self) -> Program:
        """Shapes inferred, broadcasting spelled out, reductions named."""
        return self.part or with_diagonals(with_single_placements(elaborate(self.model, stable=stabilise)))

    @stage("Program → Program")
    def stable(self) -> Program:
        """Forms that neither overflow nor lose digits, found across equations."""
        primal = stabilise(self.formulas)
        check_micro_batches(self.model, primal)
        check_parts(self.model, primal)
        return check_recurrences(primal)

    @stage("Program → Program")
    def standardised(self) -> Program:
        """Names for what is divided by a root of its own sums, and for the root."""
        return with_standardised(self.stable)

    @stage("Program → Program")
    def adjoint(self) -> Program:
        """The gradient of the loss, equation by equation, from the loss back."""
        wrt = [p.name for p in self.standardised.of_kind("parameter")] + list(self.model.spec.gradients)
        wanted = wrt if self.standardised.loss else []
        return self.told_zeros(differentiate(self.standardised, wanted, held=self.model.states))

    def told_zeros(self, program: Program) -> Program:
        """A program of first derivatives, in which nobody needs the zeros any longer that pass on slopes."""
        return without_vanishing(program) if self.model.spec.solved else program

    @stage("Program → Program")
    def derived(self) -> Program:
        """Simplified: the equations, gradients and rewrites that a derivation shows."""
        derived = simplify(self.adjoint)
        check_magnitudes(self.model, derived)
        return derived

    @stage("Model → Program")
    def update(self) -> Program:
        """A step of the optimiser and its learning rate, for all entries of the parameters."""
        return elaborate_optimizer(self.model)

    @stage("Model → FirstValues")
    def starts(self) -> Mapping[str, FirstValues]:
        """What every parameter starts from, its fan-in and fan-out read off the equations."""
        return first_values(self.model, self.derived)

    @stage("Model → Program")
    def named_update(self) -> Program:
        """The same step with names for its hyper-parameters, which callers of the module may change."""
        return elaborate_optimizer(self.model, named=True)

    @stage("Model → formulas")
    def state_starts(self) -> Mapping[str, sp.Expr]:
        """What every state of the optimiser starts from, over its hyper-parameters."""
        return first_states(self.model)

    @stage("Program → Program")
    def shifted(self) -> Program:
        """log-sum-exp as the machine computes it, shifted by the maximum; stop_gradient(x) as x; sums that
        are factors times others read from these; simplified again.
        """
        return simplify(reuse_sums(expand_logsumexp(without_stops(self.derived))))

    @stage("Program → Program")
    def centred(self) -> Program:
        """Deviations from means of weights centred once more, which loses what was rounded."""
        return centred_twice(self.shifted)

    @stage("Program → Program")
    def by_outputs(self) -> Program:
        """Choices made by the sign of an output, so that the input need not be kept."""
        return choose_by_outputs(self.centred)

    @stage("Program → Program")
    def with_derivatives(self) -> Program:
        """Slopes computed beside their values, where a value that is near its bound would lose them."""
        return derivatives_with_values(self.by_outputs)

    @stage("Program → Program")
    def guarded(self) -> Program:
        """0 times infinity decided: a product is 0 where one factor is exactly 0."""
        return guard(self.with_derivatives, {c.name: c.values for c in self.model.spec.constants})

    @stage("Program → Program")
    def scaled(self) -> Program:
        """Powers of sums divided by their constant, where its own power is no number of the type."""
        return with_scaled_powers(self.guarded, self.model.spec.dtype)

    @stage("Program → Program")
    def stable_roots(self) -> Program:
        """Differences of roots as quotients, which keep the digits of what they differ by."""
        return without_root_differences(self.scaled)

    @stage("Program → Program")
    def in_order(self) -> Program:
        """Factors in an order in which no part of a product leaves the range of the type alone."""
        return with_factor_orders(self.stable_roots, self.model.spec.dtype)

    @stage("Program → Program")
    def by_inverse_roots(self) -> Program:
        """Rows of data multiplied by 1 over a root, which is computed once, instead of divided by it."""
        return with_inverse_roots(self.in_order)

    @stage("Program → Program")
    def again(self) -> Program:
        """Values of a recurrence computed again on its way back where their slope is, and not kept."""
        return with_values_again(self.by_inverse_roots)

    @stage("Program → Program")
    def laid_out(self) -> Program:
        """Axes of values in the order of what they are made of; steps of recurrences first."""
        return with_steps_first(with_memory_orders(self.again))

    @stage("Program → Program")
    def in_parts(self) -> Program:
        """Recurrences in parts of some steps, which the gradient computes again."""
        return self.parted(self.laid_out)

    def parted(self, program: Program) -> Program:
        """A program whose recurrences are computed in parts as the gradient's are."""
        asked = self.model.spec.train.steps_at_once
        if asked is None:
            return program
        if asked.megabytes is not None:
            return in_parts(program, self.number_of_parts)
        return with_parts(program, lambda axis: asked.steps or steps_as_parts(axis))

    @cached_property
    def number_of_parts(self) -> int:
        """In how many parts the gradient's recurrences keep to the memory that is asked for."""
        asked = self.model.spec.train.steps_at_once
        return parts_that_fit(self.laid_out, self.model, asked, self._plan_in_parts) if asked else 1

    def _plan_in_parts(self, program: Program) -> Plan:
        """The plan, if this were the program whose recurrences are in parts."""
        tried = Stages(self.model)
        vars(tried).update(stable=self.stable, derived=self.derived, in_parts=program)
        return tried.plan

    @stage("Program → Program")
    def arranged(self) -> Program:
        """Windows copied, and factors that are read across; gradients formed in place; unless samples lie
        innermost. Scatters that are summed added one onto another.
        """
        if self.column_axis:
            return chain_scatters(self.in_parts)
        turned = with_turned_factors(self.copied, self.rows_of_a_step)
        return accumulate(turned) if self.takes_gradients_in else turned

    @stage("Program → Program")
    def lean(self) -> Program:
        """Arrays that a pass would keep for others formed again there; unless samples lie innermost."""
        if self.column_axis:
            return self.arranged
        return formed_again(self.arranged, schedule(self.arranged))

    @stage("Program → Phases")
    def phases(self) -> tuple[Phase, ...]:
        """The steps: products left to a library, and loops that share what they run over."""
        return schedule(self.lean, self.column_axis)

    @stage("Phases → Plan")
    def plan(self) -> Plan:
        """Where every tensor lies in memory."""
        return self._planned(self.lean, self.phases)

    @stage("Plan → text")
    def text(self) -> str:
        """The module."""
        return emit(self.planned, self.derived)

    @property
    def planned(self) -> PlannedModel:
        """All that a module is made of."""
        further = (
            *(FurtherPlan(f.asked, f.derived, f.plan) for f in self.further),
            *(FurtherPlan(f.asked, f.derived, f.plan) for f in self.networks),
            *(FurtherPlan(f.asked, f.derived, f.plan) for f in self.drawn),
        )
        stepping = StepPlan(self.stepping.step, self.stepping.plan) if self.stepping else None
        return PlannedModel(
            self.model,
            self.plan,
            self.named_update,
            self.starts,
            self.state_starts,
            self.piece_rows,
            self.set_rows,
            self.sharing,
            self._rows_of_inference,
            further,
            stepping,
        )

    @cached_property
    def further(self) -> tuple[FurtherStages, ...]:
        """The stages of every derivative that the spec asks for beyond the gradient."""
        return tuple(FurtherStages(self.model, asked=asked, first=self) for asked in self.model.spec.derive)

    @cached_property
    def stepping(self) -> StepStages | None:
        """The stages of one step of time, where the network can go on step by step."""
        step = None if self.model.spec.solved else one_step(self.standardised)
        return StepStages(self.model, step=step) if step else None

    @cached_property
    def networks(self) -> tuple[NetworkStages, ...]:
        """The stages of every network by itself."""
        inputs = {found: network_inputs(found, self.formulas) for found in self.model.networks}
        return tuple(
            NetworkStages(model_of(self.model, found, given, self.shapes), asked=found)
            for found, given in inputs.items()
        )

    @cached_property
    def drawn(self) -> tuple[DrawnStages, ...]:
        """The stages of the prediction by chance, where there is one."""
        found = self.model.drawn
        return (DrawnStages(with_sizes(found.model, self.shapes), asked=found),) if found else ()

    @cached_property
    def sharing(self) -> RowWeight | SharedPlan | Coupling:
        """How ranks share the rows of a batch: each computes with its own alone, or they tell each other of
        these within a step; or why they cannot.
        """
        weight = self.piece_weight
        if isinstance(weight, RowWeight) or not (self.stable.loss and self.model.batch_axis):
            return weight
        return SharedStages(self.model, first=self).shared_plan

    @property
    def coupling(self) -> Coupling | None:
        """Why ranks cannot share the rows of a batch, where they cannot."""
        return self.sharing if isinstance(self.sharing, Coupling) else None

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all parameters by name."""
        parameters = self.formulas.of_kind("parameter")
        return {p.name: tuple(axis.size or 0 for axis in p.axes) for p in parameters}

    @cached_property
    def group_updates(self) -> tuple[Program, ...]:
        """The step for each group of parameters whose optimiser has numbers of their own."""
        return tuple(elaborate_optimizer(self.model, group=group) for group in self.model.groups)

    def update_of(self, parameter: str) -> Program:
        """The step for one parameter."""
        for group, update in zip(self.model.groups, self.group_updates, strict=True):
            if parameter in group.parameters:
                return update
        return self.update

    @cached_property
    def takes_gradients_in(self) -> bool:
        """Whether a step adds gradients to a vector while they are formed, those of its batch at once.

        States of the model have no entry in other vectors than that of the parameters.
        """
        model, found = self.model, accumulation_of(self.named_update)
        in_parts = bool({*model.frozen} - {*model.states} or model.groups)
        return not (self.piece_rows or in_parts or found is None) and (found.is_all or not model.states)

    @cached_property
    def piece_rows(self) -> int:
        """The rows of a batch whose gradient is computed at once, as the spec says or as pays; 0: all."""
        train, axis = self.model.spec.train, self.model.batch_axis
        if train.micro_batches is not None:
            return train.micro_batches.rows
        free = {a.name for tensor in self.stable.declared for a in tensor.axes if a.is_free}
        if free != {axis} or not self._is_plain or why_no_mean(self.stable, axis):
            return 0
        found = rows_at_once(self._planned(self.copied, schedule(self.copied)), [axis], self.model.spec.dtype)
        return found if train.finish or train.batch_size == "full" or train.batch_size > found else 0

    @cached_property
    def piece_weight(self) -> RowWeight | Coupling:
        """What pieces of a batch weigh in its gradient; or why it is not made of theirs."""
        if not self.stable.loss:
            return Coupling("there is no loss")
        found = weight_of_pieces(self.stable, self.model.batch_axis, self.model.said)
        if isinstance(found, RowWeight) and found.total and found.total not in self.arranged.definition:
            return Coupling("its rows are not weighted by a sum that is computed as it stands")
        return found

    @cached_property
    def inference_by_rows(self) -> InferenceByRows:
        """What of inference may be computed some rows at a time, by the equations as they are simplified."""
        return inference_by_rows(self.derived, self.model.batch_axis)

    @property
    def _rows_of_inference(self) -> InferenceByRows:
        """The same, if what rows weigh is computed as it stands."""
        found = self.inference_by_rows
        is_there = not found.loss or found.loss.total in {"", *self.arranged.definition}
        return found if is_there else replace(found, loss=None)

    @cached_property
    def set_rows(self) -> int:
        """Of several sets of points, how many are computed at once where all are given at once; 0: all."""
        data = (*self.stable.of_kind("input"), *self.stable.of_kind("target"))
        sets = [str(axis.name) for axis in self.stable.free_axes]
        behind = {axis.name for tensor in data for axis in tensor.axes[1:]}
        if len(sets) < 2 or behind & {*sets} or not {*sets} <= {t.axes[0].name for t in data if t.axes}:
            return 0
        is_given = self.model.spec.train.micro_batches is not None
        if is_given or not self._is_plain or why_no_mean(as_one_set(self.stable, sets, sets[0]), sets[0]):
            return 0
        return rows_at_once(self._planned(self.copied, schedule(self.copied)), sets, self.model.spec.dtype)

    @property
    def rows_of_a_step(self) -> dict[str, int]:
        """How many rows are computed at once along axes of data, as far as that is said or chosen."""
        train, first = self.model.spec.train, self.model.batch_axis
        if self.set_rows:
            return dict.fromkeys((str(axis.name) for axis in self.stable.free_axes), self.set_rows)
        if self.piece_rows:
            return {first: self.piece_rows}
        return ({} if train.batch_size == "full" else {first: train.batch_size}) | dict(train.set_batches)

    @property
    def _is_plain(self) -> bool:
        """Whether there is a loss, and no more than it and its gradient by the parameters."""
        model, program = self.model, self.stable
        more = (self.column_axis, model.spec.gradients, model.states, program.evaluation, program.draws)
        return program.loss is not None and not any((*more, *(t.carried for t in program.tensors)))

    def _planned(self, program: Program, phases: tuple[Phase, ...]) -> Plan:
        has_few_digits = self.model.spec.dtype == "float32" and not self.column_axis
        rows = self.model.batch_axis if has_few_digits else ""
        return plan_memory(program, phases, self.column_axis, rows, self._kept(program))

    def _kept(self, program: Program) -> tuple[str, ...]:
        """What is asked for when all else is there: what pieces weigh, in training and in inference."""
        weights = (self.piece_weight, self.inference_by_rows.loss)
        totals = dict.fromkeys(w.total for w in weights if isinstance(w, RowWeight))
        return tuple(total for total in totals if total in program.definition)

    @cached_property
    def copied(self) -> Program:
        """With windows copied, before gradients are formed in place."""
        return chain_scatters(with_windows(with_outer_products(self.in_parts)))

    @property
    def clocked(self) -> ClockedText:
        """The module with a clock behind every statement of a step."""
        return emit_clocked(self.planned, self.derived)

    @property
    def in_python(self) -> str:
        """The same network in plain Python: slow loops that raise where an index leaves its array.

        Raises:
            SpecError: its update treats all parameters alike, and the spec does not; or the spec has states
                or draws numbers.
        """
        if self.model.states or self.stable.draws:
            what = (
                f"knows no states, as '{self.model.states[0]}' is"
                if self.model.states
                else "draws no numbers"
            )
            raise SpecError(f"plain Python {what}", at=self.model.spec.name, remedy="emit a module instead")
        if self.model.frozen or self.model.groups:
            problem = "plain Python updates all parameters alike"
            remedy = "leave freeze and per_parameter out"
            raise SpecError(problem, at=self.model.spec.name, remedy=remedy)
        return python_text(self.model.spec, self.plan, self.update)

    @cached_property
    def column_axis(self) -> str:
        """The axis of the samples where it lies innermost in memory; else empty."""
        return column_axis(self.in_parts, self.model.batch_axis)


@dataclass(frozen=True, kw_only=True)
class StagesBeside(Stages):
    """The same for what a module computes beside the network and its gradient, by a program of its own."""

    @cached_property
    def takes_gradients_in(self) -> bool:
        """It changes no parameters."""
        return False

    @cached_property
    def piece_weight(self) -> RowWeight | Coupling:
        """It is no step of training."""
        return Coupling("it is no step of training")

    @cached_property
    def inference_by_rows(self) -> InferenceByRows:
        """Nothing is measured by it."""
        return InferenceByRows()

    @stage("Program → Program")
    def in_parts(self) -> Program:
        """Its recurrences keep all of their steps."""
        return self.laid_out

    @cached_property
    def column_axis(self) -> str:
        """Its tensors are stored row by row."""
        return ""


@dataclass(frozen=True, kw_only=True)
class FurtherStages(StagesBeside):
    """Those of a derivative that is `asked` for beyond the gradient, from the stages of this on."""

    asked: FurtherDerivative
    first: Stages

    @stage("Program → Program")
    def adjoint(self) -> Program:
        """The derivative as a program of its own."""
        first = self.first
        return self.told_zeros(further_program(self.asked, self.model, first.standardised, first.derived))

    @stage("Program → Program")
    def in_parts(self) -> Program:
        """Its recurrences in parts, as those of the gradient."""
        return self.first.parted(self.laid_out)


@dataclass(frozen=True, kw_only=True)
class SharedStages(StagesBeside):
    """Those of a step of training whose batch ranks share, where rows know of each other."""

    first: Stages

    @stage("Program → Program")
    def stable(self) -> Program:
        """The network and its loss, as one process has them."""
        return self.first.stable

    @stage("Program → Program")
    def in_parts(self) -> Program:
        """The gradient as one process computes it."""
        return self.first.in_parts

    @stage("Program → Program")
    def arranged(self) -> Program:
        """What a step is for alone: the loss, the gradients of what it changes, the next values of states."""
        program = chain_scatters(self.in_parts)
        if not self.column_axis:
            program = with_turned_factors(self.copied, self.rows_of_a_step)
        trained = {t.name for t in program.of_kind("parameter")} - {*self.model.frozen}
        gradients = tuple(g for g in program.gradients if g.of in trained)
        ends = [*(g.name for g in gradients), *(n.equation for n in program.next_values), program.loss or ""]
        needed = program.needed(ends)
        equations = tuple(e for e in program.equations if e.target in needed)
        program = replace(program, outputs=(), prediction=(), evaluation=None)
        return replace(program, gradients=gradients, equations=equations)

    @cached_property
    def column_axis(self) -> str:
        """As one process has it, so that rows are gathered alike."""
        return self.first.column_axis

    @cached_property
    def told(self) -> SharedProgram | Coupling:
        """What ranks tell each other, or why that does not help."""
        return shared_program(self.lean, self.model.batch_axis, self.model.said)

    @cached_property
    def shared_plan(self) -> SharedPlan | Coupling:
        """The plan in shares, or why there is none."""
        told = self.told
        if isinstance(told, Coupling):
            return told
        names = [found.tensor for found in told.exchanges]
        plan = self._planned(told.program, schedule(told.program, self.column_axis, names))
        shares = shares_of(told.program, steps_of(plan), told.exchanges)
        if isinstance(shares, Coupling):
            return shares.in_words_of(self.model.said)
        return shared_plan(plan, shares)

    def _kept(self, program: Program) -> tuple[str, ...]:
        """The loss, which is asked for when the gradient is there."""
        return (program.loss,) if program.loss else ()


@dataclass(frozen=True, kw_only=True)
class NetworkStages(StagesBeside):
    """Those of a network by itself, of a model that is that network alone."""

    asked: NetworkFunction


@dataclass(frozen=True, kw_only=True)
class DrawnStages(StagesBeside):
    """Those of the prediction by chance, of a model whose inference draws."""

    asked: DrawnPrediction


@dataclass(frozen=True, kw_only=True)
class StepStages(StagesBeside):
    """Those of one step of time."""

    step: OneStep

    @stage("Program → Program")
    def adjoint(self) -> Program:
        """The step as a program of its own."""
        return self.step.program


STAGES = tuple(found for found in vars(Stages).values() if isinstance(found, Stage))


def stages_of(spec: Spec) -> Stages:
    """The stages of a spec; none is computed yet.

    Raises:
        SpecError: the spec does not describe a network.
    """
    return Stages(expand(spec))


def module_text(spec: Spec) -> str:
    """The text of the training module of a spec.

    Raises:
        SpecError: the spec does not describe a network.
    """
    return stages_of(spec).text


def parameter_shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """The shapes of all parameters by name. Raises SpecError."""
    return stages_of(spec).shapes
