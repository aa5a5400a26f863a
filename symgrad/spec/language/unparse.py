"""Formulas as text again, in the spec language and with no more brackets than it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.spec.language.syntax import (
    Binary,
    Boolean,
    Compare,
    Index,
    Infinity,
    Name,
    Negate,
    Node,
    Number,
    Slice,
    Text,
    Transpose,
    Tuple,
)

if TYPE_CHECKING:
    from fractions import Fraction

_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(1, 6)
_LEVEL = {"+": _SUM, "-": _SUM, **dict.fromkeys(("*", "/", "//", "%", "@"), _PRODUCT), "**": _POWER}


def unparse(node: Node) -> str:
    """The text of a formula: reading it gives the formula back."""
    match node:
        case Number(value):
            return decimal(value)
        case Boolean(value):
            return str(value).lower()
        case Infinity():
            return "inf"
        case Tuple(items):
            return f"({', '.join(map(unparse, items))})"
        case Name(name):
            return name
        case Negate(operand):
            return f"-{_within(operand, _SIGN)}"
        case Binary("**", left, right):
            return f"{_within(left, _ATOM)}**{_within(right, _SIGN)}"
        case Binary(operator, left, right):
            level = _LEVEL[operator]
            return f"{_within(left, level)} {operator} {_within(right, level + 1)}"
        case Compare(relation, left, right):
            return f"{unparse(left)} {relation} {unparse(right)}"
        case Index(tensor, indices):
            return f"{tensor}[{', '.join(map(unparse, indices))}]"
        case Slice(start, stop, step):
            begun = ":".join("" if part is None else unparse(part) for part in (start, stop))
            return begun if step is None else f"{begun}:{unparse(step)}"
        case Text(text):
            return f'"{text}"'
        case Transpose(operand):
            return f"{_within(operand, _ATOM)}.T"
    arguments = [*map(unparse, node.arguments), *(f"{name}={unparse(v)}" for name, v in node.keywords)]
    return f"{node.function}({', '.join(arguments)})"


def decimal(value: Fraction) -> str:
    """A constant as a decimal number with as many digits as double precision holds."""
    return str(value.numerator) if value.denominator == 1 else repr(float(value))


def _within(node: Node, level: int) -> str:
    text = unparse(node)
    return text if _level(node) >= level else f"({text})"


def _level(node: Node) -> int:
    match node:
        case Negate():
            return _SIGN
        case Binary(operator):
            return _LEVEL[operator]
    return _ATOM
