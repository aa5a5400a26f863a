"""Constants inside formulas: finite, and small enough to be computed exactly by later stages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.builtins import SCALAR_FUNCTIONS
from symgrad.spec.language.syntax import Binary, Call, Compare, Index, Negate, Node, Number, Transpose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_EXPONENT = 1000
MAX_BITS = 100_000

FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    name: getattr(math, name) for name in SCALAR_FUNCTIONS if hasattr(math, name)
} | {"abs": abs}
"""Those that Python has."""


@dataclass(frozen=True)
class _Constant:
    """The value of a constant part of a formula, and a bound on the bits of its exact form."""

    value: float
    bits: int


def check_constants(node: Node) -> None:
    """Refuse a formula with a constant part that is not a finite real number, or needs huge integers.

    Raises:
        SpecError: for a division by zero, log(0), 9**9**9 and their like.
    """
    _constant(node)


def _constant(node: Node) -> _Constant | None:
    match node:
        case Number(value):
            bits = value.numerator.bit_length() + value.denominator.bit_length()
            return _Constant(float(value), bits)
        case Negate(operand):
            inner = _constant(operand)
            return inner and _Constant(-inner.value, inner.bits)
        case Binary():
            return _binary(node, _constant(node.left), _constant(node.right))
        case Call(_, arguments, keywords):
            inside = [_constant(a) for a in (*arguments, *(value for _, value in keywords))]
            return _call(node, inside)
        case Compare(_, left, right):
            _constant(left), _constant(right)
        case Transpose(operand):
            _constant(operand)
        case Index(_, indices):
            for index in indices:
                _constant(index)
    return None


def _call(node: Call, inside: list[_Constant | None]) -> _Constant | None:
    function = FUNCTIONS.get(node.function)
    if function is None or len(inside) != 1 or inside[0] is None:
        return None
    value = inside[0].value
    try:
        return _Constant(function(value), inside[0].bits)
    except (ValueError, OverflowError):
        problem = f"{node.function}({value:g}) is not a finite real number"
        raise SpecError(problem, at=node.at, remedy=f"check the argument of {node.function}") from None


def _binary(node: Binary, left: _Constant | None, right: _Constant | None) -> _Constant | None:
    if node.operator in ("/", "//", "%") and right is not None and right.value == 0:
        raise SpecError("a division by zero", at=node.right.at, remedy="expected a divisor other than 0")
    if node.operator == "**" and right is not None and abs(right.value) > MAX_EXPONENT:
        problem = f"the exponent {right.value:g} is beyond {MAX_EXPONENT}"
        raise SpecError(problem, at=node.right.at, remedy="expected a smaller one; exp(a * log(x)) is x**a")
    if left is None or right is None or node.operator in ("//", "%", "@"):
        return None
    return _Constant(_value(node, left.value, right.value), _bits(node, left, right))


def _value(node: Binary, left: float, right: float) -> float:
    try:
        value = _evaluate(node.operator, left, right)
    except (OverflowError, ZeroDivisionError):
        value = math.inf
    if isinstance(value, complex) or not math.isfinite(value):
        problem = f"the constant {left:g} {node.operator} {right:g} is not a finite real number"
        raise SpecError(problem, at=node.at, remedy="expected a real number below 1.8e308")
    return float(value)


def _evaluate(operator: str, left: float, right: float) -> float | complex:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return left / right
    power: float | complex = left**right
    return power


def _bits(node: Binary, left: _Constant, right: _Constant) -> int:
    bits = left.bits + right.bits
    if node.operator == "**":
        bits = left.bits * max(1, math.ceil(abs(right.value)))
    if bits > MAX_BITS:
        problem = "a constant with too many digits in its exact form"
        raise SpecError(problem, at=node.at, remedy="write its decimal value")
    return bits
