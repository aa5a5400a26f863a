"""Formulas of numbers, and their slopes, in mpmath with many digits."""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING

import mpmath

from fuzz.oracle import RELATIONS, tree_of
from symgrad.spec import library

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DIGITS = 800
"""Enough for all of 1 − tanh(x)² that float64 can hold, and for differences of it."""

OPERATORS: dict[type, Callable[[mpmath.mpf, mpmath.mpf], mpmath.mpf]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
FUNCTIONS: dict[str, Callable[..., mpmath.mpf]] = {
    "abs": abs,
    "max": max,
    "min": min,
    "log1p": lambda x: mpmath.log(1 + x),
    "sum": lambda x: x,
}


def value_and_slope(formula: str, x: float) -> tuple[mpmath.mpf, mpmath.mpf]:
    """A formula over x, and its slope by central differences.

    Raises:
        ArithmeticError: it has no real value there.
    """
    with mpmath.workdps(DIGITS):
        at, step = mpmath.mpf(x), mpmath.mpf(10) ** (-DIGITS // 3)
        middle, above, below = (
            _value(tree_of(formula), {"x": point}) for point in (at, at + step, at - step)
        )
        return middle, (above - below) / (2 * step)


def _value(node: ast.expr, known: Mapping[str, mpmath.mpf]) -> mpmath.mpf:
    match node:
        case ast.Constant(number):
            return mpmath.mpf(repr(number))
        case ast.Name(name):
            return known[name] if name in known else {"pi": +mpmath.pi, "e": +mpmath.e}[name]
        case ast.UnaryOp(ast.USub(), operand):
            return -_value(operand, known)
        case ast.BinOp(left, operation, right):
            return _real(OPERATORS[type(operation)](_value(left, known), _value(right, known)))
        case ast.Call(ast.Name("where"), [ast.Compare(left, [relation], [right]), chosen, other]):
            holds = RELATIONS[type(relation)](_value(left, known), _value(right, known))
            return _value(chosen if holds else other, known)
        case ast.Call(ast.Name(name), arguments):
            return _real(_called(name, [_value(a, known) for a in arguments]))
    raise NotImplementedError(ast.dump(node))


def _called(name: str, arguments: list[mpmath.mpf]) -> mpmath.mpf:
    """A function of the language, or one of the library with its defaults."""
    entry = library.functions.get(name)
    if entry is None or entry.formula == f"{name}(x)":
        return (FUNCTIONS.get(name) or getattr(mpmath, name))(*arguments)
    declared = tree_of(entry.text)
    assert isinstance(declared, ast.Call)
    names = [argument.id for argument in declared.args if isinstance(argument, ast.Name)]
    defaults = {str(k.arg): _value(k.value, {}) for k in declared.keywords}
    return _value(tree_of(entry.formula), defaults | dict(zip(names, arguments, strict=True)))


def _real(number: mpmath.mpf) -> mpmath.mpf:
    if isinstance(number, mpmath.mpc) or not mpmath.isfinite(number):
        raise ArithmeticError("no real number")
    return number
