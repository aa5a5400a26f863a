"""Formulas of numbers as floats, with the arithmetic of a module: infinite or no number where it is."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING

from symgrad.spec.language.definitions import definition
from symgrad.spec.language.formula_constants import FUNCTIONS
from symgrad.spec.language.syntax import Binary, Boolean, Call, Compare, Name, Negate, Node, Number
from symgrad.spec.reductions import EXTREMA
from symgrad.spec.scalars import SCALARS, ScalarFunction

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from symgrad.spec.model import FunctionSpec

_STEPS: dict[str, Callable[[float], float]] = {
    "sign": lambda value: value if value == 0 or math.isnan(value) else math.copysign(1, value),
    "floor": lambda value: float(math.floor(value)) if math.isfinite(value) else value,
}
"""What Python has in no such form."""
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def number(
    node: Node, names: Mapping[str, float], functions: Mapping[str, FunctionSpec] | None = None
) -> float | None:
    """The value of a formula where its names have these; None where it holds anything else.

    Functions called must be given, unless they are the language's. What is undefined, such as the
    logarithm of -1, is NaN; a division by 0 and what is too large are infinite.
    """
    match node:
        case Number(value):
            return _float(value)
        case Boolean(value):
            return float(value)
        case Name(name):
            return names.get(name)
        case Negate(operand):
            inner = number(operand, names, functions)
            return None if inner is None else -inner
        case Binary(sign, left, right) if sign not in ("//", "%", "@"):
            a, b = number(left, names, functions), number(right, names, functions)
            return None if a is None or b is None else _combined(sign, a, b)
        case Compare(relation, left, right):
            a, b = number(left, names, functions), number(right, names, functions)
            return None if a is None or b is None else float(_COMPARISONS[relation](a, b))
        case Call():
            return _call(node, names, functions or {})
    return None


def _call(call: Call, names: Mapping[str, float], functions: Mapping[str, FunctionSpec]) -> float | None:
    own = functions.get(call.function)
    if own is not None and call.function not in FUNCTIONS:
        return _own(call, own, names, functions)
    if call.function == "where" and len(call.arguments) == 3:
        condition = number(call.arguments[0], names, functions)
        if condition is None:
            return None
        return number(call.arguments[1 if condition else 2], names, functions)
    values = [number(argument, names, functions) for argument in call.arguments]
    known = [value for value in values if value is not None]
    if call.keywords or not known or len(known) < len(values):
        return None
    if call.function in EXTREMA and len(known) == 2:
        return (
            math.nan if any(map(math.isnan, known)) else max(known) if call.function == "max" else min(known)
        )
    return _applied(call.function, known[0]) if len(known) == 1 else None


def _own(
    call: Call, function: FunctionSpec, names: Mapping[str, float], functions: Mapping[str, FunctionSpec]
) -> float | None:
    known = (*function.arguments, *(name for name, _ in function.defaults))
    nodes = {
        **dict(function.defaults),
        **dict(zip(known, call.arguments, strict=False)),
        **dict(call.keywords),
    }
    values = {name: number(node, names, functions) for name, node in nodes.items()}
    return number(function.formula, {n: v for n, v in values.items() if v is not None}, functions)


def _applied(function: str, value: float) -> float | None:
    row = SCALARS.get(function)
    if row is None or row.use == "code":
        return None
    if function in _STEPS:
        return _STEPS[function](value)
    if function not in FUNCTIONS:
        return number(definition(row.formula), {"x": value}) if row.formula else None
    try:
        return FUNCTIONS[function](value)
    except OverflowError:
        return math.inf
    except ValueError:
        return _at_the_end(row, value)


def _at_the_end(row: ScalarFunction, value: float) -> float:
    """At an open end of its domain a function is infinite, with the sign that it has beside it."""
    domain = row.arguments
    at_open_end = (domain.open_least and value == domain.least) or (domain.open_most and value == domain.most)
    inside = math.nextafter(value, domain.most if value == domain.least else domain.least)
    return math.copysign(math.inf, FUNCTIONS[row.name](inside)) if at_open_end else math.nan


def _combined(sign: str, a: float, b: float) -> float:
    try:
        match sign:
            case "+":
                return a + b
            case "-":
                return a - b
            case "*":
                return a * b
            case "/":
                return a / b
        power = a**b
    except ZeroDivisionError:
        return math.nan if sign == "/" and (a == 0 or math.isnan(a)) else math.copysign(math.inf, a)
    except OverflowError:
        return math.inf
    return math.nan if isinstance(power, complex) else float(power)


def _float(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # a Fraction, which may be too large
    except OverflowError:
        return math.inf
