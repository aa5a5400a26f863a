"""The formulas that define functions and reductions, computed with numbers of any kind."""

from __future__ import annotations

import operator
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

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


Meaning: TypeAlias = "Callable[[Mapping[str, Any]], Any]"
"""What a formula makes of the values that its names have."""


def defined(
    formula: str, number: Callable[[Fraction], Any], function: Callable[[str], Callable[[Any], Any]]
) -> Meaning:
    """A definition as a function of its names' values: `number` and `function` say what its parts mean."""

    def meaning(node: Node) -> Meaning:
        match node:
            case Number(exact):
                value = number(exact)
                return lambda _: value
            case Name(name):
                return operator.itemgetter(name)
            case Negate(operand):
                inner = meaning(operand)
                return lambda names: -inner(names)
            case Binary(sign, left, right) if sign in OPERATORS:
                apply, a, b = OPERATORS[sign], meaning(left), meaning(right)
                return lambda names: apply(a(names), b(names))
            case Call(name, (argument,), ()):
                inner = meaning(argument)
                return lambda names: function(name)(inner(names))
        raise InternalError(f"a definition of more than arithmetic and functions of one number: {formula}")

    return meaning(definition(formula))


@cache
def definition(formula: str) -> Node:
    """A definition as syntax."""
    return parse_formula(formula, Position("<definition>", 1, 1))
