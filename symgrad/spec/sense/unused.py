"""What is declared and does nothing: one walk over what is computed from what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import Position, SpecError, SpecWarning
from symgrad.spec.language.trees import calls, names_in
from symgrad.spec.reads import (
    evaluation_reads,
    loss_learns_from,
    loss_reads,
    named_axes,
    reached,
    read_by,
    read_inside,
    sources,
)
from symgrad.spec.sense.argument_ranges import formulas

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import Model

_REMEDY = "leave it out, or use it"


def check_outputs(model: Model) -> None:
    """Refuse an input as an output, and predictions of a size that only a target tells.

    Raises:
        SpecError: naming it.
    """
    spec = model.spec
    for name in spec.outputs:
        if any(name == tensor.name for tensor in spec.inputs):
            remedy = "an output is computed from inputs and parameters"
            raise SpecError(
                f"the output '{name}' is an input", at=spec.place_of("outputs", name), remedy=remedy
            )
    told = {axis for tensor in spec.inputs for axis in tensor.axes}
    for axis in sorted(named_axes(model) - told):
        target = next(tensor for tensor in spec.targets if axis in tensor.axes)
        problem = (
            f"what is predicted has the axis '{axis}', and only the target '{target.name}' says its size"
        )
        raise SpecError(problem, at=target.at, remedy=f"give it a size: axes: {{{axis}: 10}}, or an input")


def unused(model: Model) -> Iterator[SpecWarning]:
    """Inputs, targets, constants, equations, parameters, functions and axes that change nothing."""
    yield from _tensors(model)
    yield from _parameters(model)
    yield from _begun_with(model)
    yield from _functions(model)
    yield from _axes(model)


def _begun_with(model: Model) -> Iterator[SpecWarning]:
    """Parameters that a solver begins with, and nothing else."""
    if not model.spec.solved:
        return
    idle = loss_reads(model) - loss_learns_from(model) - {*model.frozen}
    for parameter in (parameter for parameter in model.parameters if parameter.name in idle):
        problem = (
            f"nothing is learnt of '{parameter.name}': a solver begins with it, its solution stays the same"
        )
        yield SpecWarning(problem, at=parameter.at, remedy="begin with a number or an input")


def _tensors(model: Model) -> Iterator[SpecWarning]:
    spec, graph, inside = model.spec, sources(model), read_inside(model.functions)
    lost = loss_reads(model) | evaluation_reads(model)
    claims = set[str]().union(*(read_by(equation.formula, inside) for equation in model.manual))
    nexts = {found.equation for found in model.next_values}
    used = lost | reached({*model.outputs, *spec.gradients, *claims, *nexts}, graph)
    for target in spec.targets:
        if target.name not in lost | reached(nexts, graph):
            yield SpecWarning(f"no loss reads the target '{target.name}'", at=target.at, remedy=_REMEDY)
    for kind, tensors in (("input", spec.inputs), ("constant", spec.constants)):
        for tensor in tensors:
            if tensor.name not in used:
                yield SpecWarning(f"nothing reads the {kind} '{tensor.name}'", at=tensor.at, remedy=_REMEDY)
    read = set[str]().union(*graph.values())
    for equation in spec.equations:
        if equation.name not in used | read:
            problem = f"nothing reads '{equation.name}', and it is no output"
            yield SpecWarning(problem, at=equation.at, remedy="leave it out, or name it in outputs")


def _parameters(model: Model) -> Iterator[SpecWarning]:
    """Parameters, and what gradients are asked of, without a say in the loss; those of one layer together."""
    if model.loss is None:
        return
    lost = loss_reads(model)
    for name in model.spec.gradients:
        if name not in lost:
            problem = f"the loss does not depend on '{name}': this gradient is 0"
            yield SpecWarning(problem, at=model.spec.place_of("gradients", name), remedy=_REMEDY)
    idle: dict[Position, list[str]] = {}
    for parameter in model.parameters:
        if parameter.name not in lost and parameter.name not in model.states:
            idle.setdefault(parameter.at, []).append(f"'{parameter.name}'")
    for at, names in idle.items():
        problem = f"the loss does not depend on {' and '.join(names)}: never learnt"
        yield SpecWarning(problem, at=at, remedy=_REMEDY)


def _functions(model: Model) -> Iterator[SpecWarning]:
    called = {call.function for formula in formulas(model) for call in calls(formula)}
    for function in model.spec.functions:
        if function.name not in called:
            yield SpecWarning(f"nothing calls '{function.name}'", at=function.at, remedy=_REMEDY)
        for name in (*function.arguments, *(name for name, _ in function.defaults)):
            if name not in names_in(function.formula):
                problem = f"'{function.name}' does not use its argument '{name}'"
                yield SpecWarning(problem, at=function.at, remedy=_REMEDY)
        if not function.arguments and not function.defaults:
            problem = f"'{function.name}' is a function of nothing"
            yield SpecWarning(problem, at=function.at, remedy="write a constant or an equation instead")


def _axes(model: Model) -> Iterator[SpecWarning]:
    spec = model.spec
    declared = [tensor.axes for tensor in (*spec.inputs, *spec.targets)]
    learnt = [parameter.axes for parameter in model.parameters]
    named = {axis for axes in (*declared, *learnt) for axis in axes if isinstance(axis, str)}
    named |= {n for axes in learnt for a in axes if not isinstance(a, int | str) for n in names_in(a)}
    named |= set[str]().union(*(names_in(formula) for formula in formulas(model)))
    named |= set[str]().union(*(names_in(size) for e in model.equations for size in e.said_sizes))
    for name, _ in spec.axes:
        if name not in named:
            yield SpecWarning(
                f"no tensor has the axis '{name}'", at=spec.place_of("axes", name), remedy=_REMEDY
            )
