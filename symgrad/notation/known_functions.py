"""The names under which people know a choice: relu(v), relu'(v) for its slope, and max(a, b)."""

from __future__ import annotations

from functools import cache

import sympy as sp

from symgrad.calculus.rules import fold, rewrite
from symgrad.calculus.terms import ARGUMENT, float_entries, partial_derivative
from symgrad.elaborate.formulas import Evaluator
from symgrad.elaborate.operands import EquationBuilder, scalar
from symgrad.errors import Position
from symgrad.spec import library
from symgrad.spec.language.syntax import Call, Name
from symgrad.spec.language.trees import calls
from symgrad.spec.model import FunctionSpec


def known_function(expr: sp.Expr) -> tuple[str, sp.Expr] | None:
    """(name, argument) where a choice is a library function of one entry, or its slope: `relu'`."""
    if not isinstance(expr, sp.Piecewise):
        return None
    found = float_entries(expr)
    if len(found) != 1:
        return None
    name = _known_bodies().get(expr.xreplace({found[0]: ARGUMENT}))
    return (name, found[0]) if name is not None else None


def chosen(expr: sp.Expr) -> tuple[str, sp.Expr, sp.Expr] | None:
    """("max", a, b) where a choice takes the larger of two values, ("min", a, b) for the smaller."""
    if not isinstance(expr, sp.Piecewise) or len(expr.args) not in (2, 3):
        return None
    (first, condition), (second, other), *tie = expr.args
    if other != sp.true and [sp.expand(value) for value, _ in tie] != [sp.expand((first + second) / 2)]:
        return None
    if not isinstance(condition, sp.LessThan | sp.GreaterThan | sp.StrictLessThan | sp.StrictGreaterThan):
        return None
    excess = condition.lts - condition.gts
    if sp.expand(excess - (second - first)) == 0:
        return "max", second, first
    return ("min", second, first) if sp.expand(excess - (first - second)) == 0 else None


@cache
def _known_bodies() -> dict[sp.Expr, str]:
    """Choices and the names of the functions and slopes they are; a slope two functions share has none."""
    bodies: dict[sp.Expr, str] = {}
    shared = set()
    for name in library.activations:
        body = _body(name)
        if not isinstance(body, sp.Piecewise) or body in bodies:
            continue
        derivative = fold(partial_derivative(body, ARGUMENT))
        if derivative in bodies:
            shared.add(derivative)
        bodies |= {body: name, derivative: f"{name}'"}
    return {form: name for form, name in bodies.items() if form not in shared}


def _body(name: str) -> sp.Expr | None:
    """The stable body of an activation with its default arguments; None where it reduces."""
    entry = library.activations[name]
    if len(entry.signature.arguments) != 1 or any(c.function == "sum" for c in calls(entry.body)):
        return None
    at = Position(f"<library:{name}>", 1, 1)
    functions = {
        n: FunctionSpec(n, f.signature.arguments, f.body, at, f.signature.defaults)
        for n, f in library.activations.items()
    }
    evaluator = Evaluator(EquationBuilder(), functions, {})
    value = evaluator.evaluate(Call(name, (Name("v", at),), (), at), name, {"v": scalar(ARGUMENT)})
    return rewrite(value.body, complement=True)[0]
