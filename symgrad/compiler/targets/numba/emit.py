"""From a plan to the text of a module: the model's own definitions, then the runtime that it needs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING

import jinja2

from symgrad.calculus.axes import show_axes
from symgrad.compiler.kernels.function_bodies import FunctionBodies, NamedKernel
from symgrad.compiler.kernels.step_clock import TICKS, StepClock, TimedStatement
from symgrad.compiler.kernels.update_kernels import (
    first_states_body,
    look_ahead_body,
    state_names,
    update_body,
)
from symgrad.compiler.planning.plan import Plan, Product, size_of
from symgrad.compiler.planning.update_plan import plan_update
from symgrad.compiler.targets.numba import interface, network, steps
from symgrad.compiler.targets.numba.facts import facts_of, fields_of, opening_of, told
from symgrad.compiler.targets.numba.own_names import OWN_NAMES
from symgrad.compiler.targets.numba.records import (
    ArgumentText,
    Definition,
    Driver,
    FieldText,
    Manner,
    ModuleText,
    ResultText,
)
from symgrad.compiler.targets.numba.runtime import functions_of_numbers, merged_imports, runtime_part
from symgrad.compiler.targets.numba.signatures import Signatures, as_tuple
from symgrad.compiler.targets.numba.spelling import CALLERS, NUMBA, called_in
from symgrad.compiler.targets.numba.steps import lines
from symgrad.elaborate.optimizer import AHEAD, after_gradient, counts_epochs
from symgrad.notation.update_rules import look_ahead_rule, update_rule
from symgrad.shipped import template_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import sympy as sp

    from symgrad.calculus.program import Program, Tensor
    from symgrad.compiler.targets.numba.runtime import RuntimePart
    from symgrad.elaborate.first_values import FirstValues
    from symgrad.spec.model import Model

_OWN_IMPORTS = (("math", ""), ("numpy", ""), ("typing", "NamedTuple"))


def emit(
    model: Model,
    shown: Program,
    plan: Plan,
    update: Program,
    starts: Mapping[str, FirstValues],
    states: Mapping[str, sp.Expr],
) -> str:
    """The text of the module. `shown` is the program as mathematics, `plan` the one that is computed.

    `update` is a step of the optimiser over hyper-parameters, `starts` and `states` are what parameters and
    states start from.
    """
    module = _Emitter(model, plan, update, starts, states).module(shown)
    return _template("module").render(module=module)


@dataclass(frozen=True)
class ClockedText:
    """A module whose drivers read a clock, what is timed in it, and the place of the time between."""

    text: str
    statements: tuple[TimedStatement, ...]
    rest: int


def emit_clocked(
    model: Model,
    shown: Program,
    plan: Plan,
    update: Program,
    starts: Mapping[str, FirstValues],
    states: Mapping[str, sp.Expr],
) -> ClockedText:
    """The module, and below it its drivers once more, which read a clock and take the place of its own."""
    drivers, clock = _Emitter(model, plan, update, starts, states).clocked()
    copies = _template("clock").render(
        drivers=drivers, clock=clock, system_clock=getattr(time, "CLOCK_MONOTONIC", 1)
    )
    whole = f"{emit(model, shown, plan, update, starts, states)}{copies}"
    return ClockedText(whole, tuple(clock.statements), clock.rest)


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_folder() / "numba"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  # the output is Python, from names the reader has checked
    )
    return environment.get_template(f"{name}.py.j2")


class _Emitter:
    """Puts the definitions of one module together."""

    def __init__(
        self,
        model: Model,
        plan: Plan,
        update: Program,
        starts: Mapping[str, FirstValues],
        states: Mapping[str, sp.Expr],
    ) -> None:
        self.model, self.plan, self.update, self.starts = model, plan, update, starts
        self.program, self.batch_axis = plan.program, model.batch_axis
        self.drivers = FunctionBodies(plan, OWN_NAMES)
        self.bodies = {phase.name: self.drivers.body(phase) for phase in plan.phases}
        self.step = update_body(plan_update(after_gradient(update)), OWN_NAMES)
        self.looks_ahead = AHEAD in update.outputs
        ahead = plan_update(update.giving((AHEAD,))) if self.looks_ahead else None
        self.look_ahead = look_ahead_body(ahead, OWN_NAMES) if ahead else ()
        self.accumulation = steps.accumulated(plan, update, OWN_NAMES)
        names = state_names(update, OWN_NAMES)
        self.states = tuple(names[name] for name in states)
        self.first_states = first_states_body(tuple(states.values()), update, OWN_NAMES)
        self.outputs = tuple(self._result(name, name) for name in self.program.outputs)
        self.predictions = tuple(self._result(name, name) for name in self.program.prediction)
        gradient = {g.of: g.name for g in self.program.gradients}
        self.gradients = tuple(self._result(name, gradient[name]) for name in model.spec.gradients)
        self.calls = self._signatures()

    def module(self, shown: Program) -> ModuleText:
        """All that the template needs."""
        network, training = tuple(map(_printed, self._network())), tuple(map(_printed, self._training()))
        kernels, parts = tuple(map(_kernel, self.drivers.kernels.values())), tuple(self._parts())
        parameters, states = fields_of(self.program, self.states)
        return ModuleText(
            opening=opening_of(self.model, shown, self.update),
            imports=merged_imports(parts, _OWN_IMPORTS),
            facts=facts_of(self.model, self.plan, self.update, self.calls, self.drivers.extents),
            parameters=parameters,
            states=states,
            gradients=tuple(FieldText(g.name, g.comment) for g in self.gradients),
            kernels=kernels,
            network=network,
            training=training,
            interface=tuple(self._interface()),
            told=told(self.model, self.plan, self.update, self.calls, (*kernels, *network, *training)),
            runtime=parts,
        )

    def clocked(self) -> tuple[tuple[Definition, ...], StepClock]:
        """The drivers once more, with readings of a clock."""
        parts = (*self._network(), *self._training())
        drivers = [found for found in parts if isinstance(found, Driver)]
        clock = StepClock(frozenset(driver.name for driver in drivers))
        return tuple(_with_clock(driver, clock) for driver in drivers), clock

    def _called(self) -> set[str]:
        """The functions of numbers that the module's code calls."""
        kernels = (k.kernel.body for k in self.drivers.kernels.values())
        found = self.accumulation
        parts = (found.shares, found.rest) if found else ()
        return called_in(chain(*kernels, *self.bodies.values(), self.step, self.look_ahead, *parts))

    # The model's own definitions ------------------------------------------------------------------

    def _network(self) -> Iterator[Definition | Driver]:
        views, calls = self.drivers.views, self.calls
        yield network.work_size(calls, NUMBA.text(views.work_size))
        yield from network.values(calls, self.bodies)
        yield from network.results(calls, self.outputs, self.predictions)
        if self.program.loss:
            view, accumulates = NUMBA.text(views.view(self.program.loss)), self.accumulation is not None
            yield from network.loss_and_gradient(calls, self.bodies, view, accumulates=accumulates)
            yield network.gradients(calls, self.gradients)

    def _training(self) -> Iterator[Definition | Driver]:
        if not self.program.loss:
            return
        calls, update, accumulation = self.calls, self.update, self.accumulation
        yield steps.update(calls, update_rule(update), lines(self.step))
        if calls.takes_pieces:
            yield steps.gradient_in_pieces(calls)
        if self.looks_ahead:
            yield steps.look_ahead(calls, look_ahead_rule(update), lines(self.look_ahead))
        if accumulation is not None:
            yield from steps.accumulation(calls, accumulation)
        yield steps.step(calls, accumulation)
        if self.batch_axis:
            yield steps.epoch(calls)

    def _interface(self) -> Iterator[Definition]:
        calls = self.calls
        yield steps.first_states(*self.first_states)
        yield interface.first_values(tuple(map(self._drawn, self.program.of_kind("parameter"))))
        yield from interface.evaluations(calls, self.outputs, self.predictions)
        if not self.program.loss:
            return
        yield from interface.losses(calls)
        if self.gradients:
            yield interface.input_gradients(calls, [g.name for g in self.gradients])
        if self.looks_ahead:
            yield interface.gradient_point(calls, look_ahead_rule(self.update))
        yield from interface.training(calls, self.model.spec.train)

    # The runtime ----------------------------------------------------------------------------------

    def _parts(self) -> Iterator[RuntimePart]:
        """What the module needs of the runtime, files before others whose decorators these use."""
        yield from map(runtime_part, ("numba/compiling", "kept_memory", "numba/array_views"))
        if any(isinstance(step, Product) for phase in self.plan.phases for step in phase.steps):
            yield runtime_part("numba/blas")
        yield from functions_of_numbers(self._called(), self.model.spec.dtype)
        yield from map(runtime_part, self._files())

    def _files(self) -> Iterator[str]:
        """The files that follow."""
        if self.accumulation is not None:
            yield "numba/added_gradients"
        if self.program.loss and self.model.spec.train.clip_norm is not None:
            yield "numba/gradient_norms"
        if self.program.loss and self.batch_axis:
            yield "numba/gathered_columns" if self.plan.column_axis else "numba/gathered_rows"
        yield from ("given_arrays", "given_hyper", "parameter_vectors", "evaluations")
        if self.program.loss:
            yield from ("training_steps", "row_epochs" if self.batch_axis else "whole_epochs", "own_check")
        else:
            yield "without_loss"
        yield from ("whole_files", "array_archives", "checkpoints")

    # Records --------------------------------------------------------------------------------------

    def _signatures(self) -> Signatures:
        train, update = self.model.spec.train, self.update
        pieces = ["grad", *(["piece"] if train.micro_batches else [])]
        names = self.drivers.extent_names
        return Signatures(
            inputs=tuple(map(self._argument, self.program.of_kind("input"))),
            targets=tuple(map(self._argument, self.program.of_kind("target"))),
            extents=tuple(names.values()),
            batch_axis=names[self.batch_axis] if self.batch_axis else "",
            states=self.states,
            step_memory=(
                *(() if self.accumulation is not None else pieces),
                *(("ahead",) if self.looks_ahead else ()),
            ),
            point="ahead" if self.looks_ahead else "theta",
            counts_epochs=counts_epochs(update),
            takes_pieces=train.micro_batches is not None,
        )

    def _argument(self, tensor: Tensor) -> ArgumentText:
        views = self.drivers.views
        return ArgumentText(
            name=tensor.name,
            variable=self.drivers.names[tensor.name],
            axes=as_tuple(repr(a.name) if a.size is None else str(a.size) for a in tensor.axes),
            classes=tensor.classes,
            ignore=tensor.ignore,
            is_batched=bool(tensor.axes) and tensor.axes[0].name == self.batch_axis != "",
            row_size=" * ".join(NUMBA.text(views.size(a.extent)) for a in tensor.axes[1:]),
            batch_shape=as_tuple(map(NUMBA.text, views.shape_in_memory(tensor.name))),
        )

    def _result(self, name: str, tensor: str) -> ResultText:
        """What a caller gets of a tensor, its axis of samples first."""
        axes = self.program.tensor[tensor].axes
        view = CALLERS.text(self.drivers.views.view(tensor))
        if self.plan.is_by_columns(tensor):
            view = f"np.moveaxis({view}, -1, 0)"
        return ResultText(name, f"{view}{'' if axes else '.reshape(())'}.copy()", show_axes(axes))

    def _drawn(self, tensor: Tensor) -> str:
        """`vector[0:64] = rng.normal(0.0, 0.1, 64)  # W1`, or one number for all entries."""
        start, size = self.starts[tensor.name], size_of(tensor.axes)[1]
        match start.distribution:
            case "normal":
                drawn = f"rng.normal(0.0, {start.scale!r}, {size})"
            case "uniform":
                drawn = f"rng.uniform({-start.scale!r}, {start.scale!r}, {size})"
            case _:
                drawn = repr(start.scale)
        offset = self.plan.places[tensor.name].offset
        return f"vector[{offset}:{offset + size}] = {drawn}  # {tensor.name}"


def _printed(found: Definition | Driver) -> Definition:
    if isinstance(found, Definition):
        return found
    return Definition(found.name, found.arguments, (found.doc,), lines(found.body), "driver")


def _with_clock(driver: Driver, clock: StepClock) -> Definition:
    """A driver that hands the clock's ticks on to those it calls."""
    body = lines(clock.over(driver.name, driver.body))
    return Definition(
        clock.name(driver.name), f"{TICKS.name}, {driver.arguments}", (driver.doc,), body, "driver"
    )


def _kernel(named: NamedKernel) -> Definition:
    manner: Manner = "exact kernel" if named.kernel.exact else "kernel"
    return Definition(named.name, ", ".join(named.arguments), (named.doc,), lines(named.kernel.body), manner)
