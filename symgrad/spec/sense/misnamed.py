"""Names against what they stand for: functions unlike the library's, predictions made of their target."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from symgrad.errors import SpecWarning
from symgrad.spec import library
from symgrad.spec.language.trees import calls, names_in, walk
from symgrad.spec.model import FunctionSpec, Model
from symgrad.spec.numbers import number
from symgrad.spec.reads import reached, read_by, read_inside, sources
from symgrad.spec.sense.argument_ranges import formulas

if TYPE_CHECKING:
    from collections.abc import Iterator

_POINTS = (-2.0, -0.5, 0.25, 1.0, 3.0)


def unlike_the_library(model: Model) -> Iterator[SpecWarning]:
    """Functions named like one of the library's that have other values."""
    functions = {f.name: f for f in model.functions}
    for function in model.spec.functions:
        row = library.functions.get(function.name)
        if row is None or len(function.arguments) != 1 or len(row.signature.arguments) != 1:
            continue
        theirs = FunctionSpec(
            row.name, row.signature.arguments, row.body, function.at, row.signature.defaults
        )
        for point in _POINTS:
            mine, other = (_at(point, f, functions) for f in (function, theirs))
            if mine is not None and other is not None and not math.isclose(mine, other, rel_tol=1e-9):
                problem = f"'{function.name}' is {mine:g} at {point:g}, and the library's is {other:g}"
                yield SpecWarning(problem, at=function.at, remedy="choose another name, if both are meant")
                break


def _at(point: float, function: FunctionSpec, functions: dict[str, FunctionSpec]) -> float | None:
    defaults = {name: number(value, {}) for name, value in function.defaults}
    names = {name: value for name, value in defaults.items() if value is not None}
    others = {name: other for name, other in functions.items() if name != function.name}
    return number(function.formula, {**names, function.arguments[0]: point}, others)


def predictions_of_their_target(model: Model) -> Iterator[SpecWarning]:
    """Losses that compare a target with what is computed from it."""
    targets, graph = {t.name for t in model.spec.targets}, sources(model)
    inside = read_inside(model.functions)
    for formula in formulas(model):
        for call in calls(formula):
            if call.function not in library.losses or len(call.arguments) < 2:
                continue
            compared = names_in(call.arguments[1]) & targets
            known = reached(read_by(call.arguments[0], inside), graph) & compared
            if known:
                name = sorted(known)[0]
                problem = f"{call.function} compares '{name}' with what is computed from '{name}'"
                remedy = "compute the prediction from inputs alone"
                yield SpecWarning(problem, at=call.at, remedy=remedy)


def starts_of_targets(model: Model) -> Iterator[SpecWarning]:
    """Recurrences and solvers that begin with a target, of which nothing can be predicted then."""
    targets, graph = {t.name for t in model.spec.targets}, sources(model)
    inside = read_inside(model.functions)
    solved = {name: found.name for found in model.spec.solved for name in found.iterated}
    told: set[str] = set()
    for carried in () if model.spec.outputs else model.carried:
        start = carried.start
        name = solved.get(start.name, start.name)
        known = sorted(reached(read_by(start.formula, inside), graph) & targets)
        is_own = not start.formula.at.source.startswith("<library")  # as a loss of sequences begins its own
        if known and is_own and name not in told:
            told.add(name)
            begun = "is solved for from" if start.name in solved else "starts with"
            problem = f"'{name}' {begun} the target '{known[0]}', so nothing made of it is predicted"
            remedy = "begin with a number or with inputs, which predictions have, or name outputs"
            yield SpecWarning(problem, at=start.formula.at, remedy=remedy)


def manual_of_nothing(model: Model) -> Iterator[SpecWarning]:
    """Manual formulas that claim no derivative and that no other formula reads."""
    declared = {t.name for t in (*model.spec.inputs, *model.spec.targets)}
    tensors = declared | {p.name for p in model.parameters} | {e.name for e in model.equations}
    read = {node for e in model.manual for part in walk(e.formula) for node in names_in(part)}
    for equation in model.manual:
        if equation.name not in read and equation.name.removeprefix("d") not in tensors:
            problem = f"the manual formula '{equation.name}' claims nothing"
            remedy = "name it d and the tensor, as in dW, or read it in another manual formula"
            yield SpecWarning(problem, at=equation.at, remedy=remedy)
