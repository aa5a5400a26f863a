"""The formulas that define functions and reductions, computed with numbers of any kind."""

from __future__ import annotations

import operator
from functools import cache
from typing import TYPE_CHECKING, Any

from symgrad.errors import InternalError, Position
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.syntax import Binary, Call, Name, Negate, Node, Number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from fractions import Fraction

OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}


def defined(
    formula: str,
    names: Mapping[str, Any],
    number: Callable[[Fraction], Any],
    function: Callable[[str], Callable[[Any], Any]],
) -> Any:
    """The value of a definition: `names` have values, `number` and `function` say what its parts mean."""

    def value(node: Node) -> Any:
        match node:
            case Number(exact):
                return number(exact)
            case Name(name):
                return names[name]
            case Negate(operand):
                return -value(operand)
            case Binary(sign, left, right) if sign in OPERATORS:
                return OPERATORS[sign](value(left), value(right))
            case Call(name, (argument,), ()):
                return function(name)(value(argument))
        raise InternalError(f"a definition of more than arithmetic and functions of one number: {formula}")

    return value(definition(formula))


@cache
def definition(formula: str) -> Node:
    """A definition as syntax."""
    return parse_formula(formula, Position("<definition>", 1, 1))
