"""What a network is, whatever it is trained with: its names, shapes and equations, and a hash of these.

Two specs are of one network where the same numbers of the parameters give the same outputs and predictions.
So the hash is of what `forward` and `predict` compute, and of the names and axes of inputs and parameters;
not of comments, first values, losses, targets, data and training. Nor of the number type: arrays say theirs,
and what was trained in one may be used in the other.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from symgrad.spec.language.sizes.whole_numbers import SIZE
from symgrad.spec.language.syntax import Call, Name, Negate, Number
from symgrad.spec.language.trees import calls, names_in
from symgrad.spec.language.unparse import unparse
from symgrad.spec.reads import reached, sources

if TYPE_CHECKING:
    from symgrad.spec.language.syntax import Node
    from symgrad.spec.model import CarriedSpec, EachStep, FunctionSpec, Model, ParameterDecl


def network_sha256(model: Model) -> str:
    """The SHA-256 of a network, the same on every machine."""
    return sha256(json.dumps(_network(model), separators=(",", ":")).encode()).hexdigest()


def _network(model: Model) -> list[Any]:
    spec, equations = model.spec, []
    formulas = [] if model.prediction is None else [model.prediction]
    needed = {*model.outputs}.union(*map(names_in, formulas))
    if model.carried:
        needed = reached(needed, sources(model))
    for equation in reversed(model.equations):
        if equation.name in needed:
            needed |= names_in(equation.formula)
            formulas.append(equation.formula)
            ranges = [(index, unparse(size)) for index, size in equation.ranges]
            own = (equation.name, equation.indices, unparse(equation.formula))
            each = _each_step(equation.each)
            equations.append((*own, ranges, *each) if ranges or each else own)
    return [
        spec.axes,
        [(t.name, t.axes, t.classes) for t in spec.inputs],
        list(map(_parameter, model.parameters)),
        [(c.name, c.shape, c.values) for c in spec.constants if c.name in needed],
        _functions(model.functions, formulas),
        sorted(equations, key=lambda equation: equation[0]),
        model.outputs,
        [unparse(formula) for formula in formulas[:1] if model.prediction],
        *([[_carried(c) for c in model.carried if c.name in needed]] if model.carried else []),
    ]


def _each_step(each: EachStep | None) -> list[Any]:
    """What the left side of an equation says whose formula gives all of each step."""
    if each is None:
        return []
    return [[each.index, each.along, [size and unparse(size) for size in each.sizes]]]


def _carried(carried: CarriedSpec) -> list[Any]:
    """What a recurrence hands from step to step, and starts with."""
    start = carried.start
    return [carried.name, carried.source, start.indices, start.steps, start.end, unparse(start.formula)]


def _parameter(parameter: ParameterDecl) -> tuple[str, list[Any]]:
    return parameter.name, [
        axis if isinstance(axis, int | str) else _formula(axis) for axis in parameter.axes
    ]


def _formula(axis: Node) -> str | list[str]:
    """A size's formula; that of a last axis as it has always been written here, so that hashes stay."""
    match axis:
        case Call(function, (Name(tensor), Negate(Number(value)))) if function == SIZE and value == 1:
            return ["last of", tensor]
    return unparse(axis)


def _functions(functions: tuple[FunctionSpec, ...], formulas: list[Node]) -> list[Any]:
    """The functions that formulas call, and those that these call."""
    by_name, found, waiting = {f.name: f for f in functions}, {}, list(formulas)
    while waiting:
        for call in calls(waiting.pop()):
            function = by_name.get(call.function)
            if function is not None and function.name not in found:
                defaults = [(name, unparse(value)) for name, value in function.defaults]
                found[function.name] = (function.arguments, defaults, unparse(function.formula))
                waiting.append(function.formula)
    return sorted(found.items())
