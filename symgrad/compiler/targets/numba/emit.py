"""From a plan to the text of a module: the model's own definitions, then the runtime that it needs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import jinja2

from symgrad.compiler.kernels.step_clock import TICKS, StepClock, TimedStatement
from symgrad.compiler.targets.numba.beside import step_functions
from symgrad.compiler.targets.numba.beside.further_functions import check_network_names
from symgrad.compiler.targets.numba.facts import facts_of, fields_of, opening_of, told
from symgrad.compiler.targets.numba.lowered_model import LoweredModel, lowered_model
from symgrad.compiler.targets.numba.model_definitions import ModelDefinitions
from symgrad.compiler.targets.numba.needed_parts import needed_parts
from symgrad.compiler.targets.numba.records import Definition, Driver, FieldText, ModuleText
from symgrad.compiler.targets.numba.runtime import merged_imports
from symgrad.compiler.targets.numba.steps import lines
from symgrad.shipped import template_folder

if TYPE_CHECKING:
    from symgrad.calculus.program import Program
    from symgrad.compiler.kernels.function_bodies import NamedKernel
    from symgrad.compiler.targets.numba.lowered_model import PlannedModel

_OWN_IMPORTS = (("math", ""), ("numpy", ""), ("typing", "NamedTuple"))


def emit(planned: PlannedModel, shown: Program) -> str:
    """The text of the module. `shown` is the program as mathematics, the plan's is the one computed."""
    module = _module(lowered_model(planned), shown)
    return _template("module").render(module=module)


@dataclass(frozen=True)
class ClockedText:
    """A module whose drivers read a clock, what is timed in it, and the place of the time between."""

    text: str
    statements: tuple[TimedStatement, ...]
    rest: int


def emit_clocked(planned: PlannedModel, shown: Program) -> ClockedText:
    """The module, and below it its drivers once more, which read a clock and take the place of its own."""
    drivers, clock = _clocked(lowered_model(planned))
    copies = _template("clock").render(
        drivers=drivers, clock=clock, system_clock=getattr(time, "CLOCK_MONOTONIC", 1)
    )
    whole = f"{emit(planned, shown)}{copies}"
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


def _module(lowered: LoweredModel, shown: Program) -> ModuleText:
    """All that the template needs."""
    definitions, model, update = ModelDefinitions(lowered), lowered.model, lowered.update
    network = tuple(map(_printed, definitions.network()))
    training = tuple(map(_printed, definitions.training()))
    further = tuple(map(_printed, definitions.further()))
    stepping = tuple(map(_printed, definitions.stepping()))
    carry = step_functions.carry_fields(lowered.stepping) if lowered.stepping else ()
    kernels, parts = tuple(map(_kernel, lowered.drivers.kernels.values())), tuple(needed_parts(lowered))
    parameters, states = fields_of(lowered.program, lowered.states, draws=definitions.calls.draws)
    compiled = (*kernels, *network, *further, *stepping, *training)
    interface = tuple(definitions.interface())
    facts = facts_of(
        model, lowered.plans, update, definitions.calls, lowered.drivers.free_axes, definitions.given
    )
    said = (*facts, *told(lowered, definitions.calls, compiled))
    names = [*(fact.name for fact in said), *(found.name for found in (*compiled, *interface))]
    check_network_names(lowered.further, names, parts)
    return ModuleText(
        opening=opening_of(model, shown, update),
        imports=merged_imports(parts, _OWN_IMPORTS),
        facts=facts,
        parameters=parameters,
        states=states,
        gradients=tuple(FieldText(g.name, g.comment) for g in definitions.gradients),
        kernels=kernels,
        network=network,
        training=training,
        further=further,
        stepping=stepping,
        carry=carry,
        interface=interface,
        told=told(lowered, definitions.calls, compiled),
        runtime=parts,
    )


def _clocked(lowered: LoweredModel) -> tuple[tuple[Definition, ...], StepClock]:
    """The drivers once more, with readings of a clock."""
    definitions = ModelDefinitions(lowered)
    parts = (*definitions.network(), *definitions.further(), *definitions.stepping(), *definitions.training())
    drivers = [found for found in parts if isinstance(found, Driver)]
    clock = StepClock(frozenset(driver.name for driver in drivers))
    return tuple(_with_clock(driver, clock) for driver in drivers), clock


def _printed(found: Definition | Driver) -> Definition:
    if isinstance(found, Definition):
        return found
    return Definition(found.name, found.arguments, (found.doc,), lines(found.body), found.manner)


def _with_clock(driver: Driver, clock: StepClock) -> Definition:
    """A driver that hands the clock's ticks on to those it calls."""
    body = lines(clock.over(driver.section_of or driver.name, driver.body))
    return Definition(
        clock.name(driver.name), f"{TICKS.name}, {driver.arguments}", (driver.doc,), body, driver.manner
    )


def _kernel(named: NamedKernel) -> Definition:
    arguments = ", ".join(named.arguments)
    return Definition(named.name, arguments, (named.doc,), lines(named.kernel.body), "kernel")
