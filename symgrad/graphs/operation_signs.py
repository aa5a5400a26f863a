"""How operations are drawn: their sign, what they do to a gradient, and which operand is which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.spec.language.declared_ranges import bound_names
from symgrad.spec.language.syntax import Binary, Call, Compare, Name, Negate, Node, Number, Transpose
from symgrad.spec.language.unparse import unparse
from symgrad.spec.reductions import EXTREMA, REDUCTIONS

if TYPE_CHECKING:
    from symgrad.graphs.trace import Operation
    from symgrad.spec.model import Model

_SIGNS = {"+": "+", "-": "−", "*": "×", "/": "÷", "**": "^", "@": "@"}
_EFFECTS = {
    **dict.fromkeys(("+", "-"), "distributor"),
    **dict.fromkeys(("*", "@"), "switcher"),
    **{row.name: "distributor" for row in REDUCTIONS.values() if row.linear},
    **dict.fromkeys((*EXTREMA, "where"), "router"),
}
"""What a gate does to the gradient that reaches it: hand it to every operand, hand each operand the
gradient times the other operand, or hand it to one operand alone."""


def symbol_of(operation: Operation) -> str:
    """`×`, `max`, `Σ over n`: what stands in the gate."""
    match operation.node:
        case Negate():
            return "−"
        case Transpose():
            return "transpose"
        case Binary(operator):
            return _SIGNS[operator]
        case Call(function, _, keywords):
            reduces = function in REDUCTIONS and len(operation.operands) == 1
            over = list(bound_names(operation.node)) if reduces else []
            over += [f"axis {unparse(value)}" for word, value in keywords if word == "axis"]
            name = REDUCTIONS[function].written if function in REDUCTIONS else function
            return name + (f" over {', '.join(over)}" if over else "")
    return unparse(operation.node)


def effect_of(operation: Operation, model: Model) -> str:
    """`distributor`, `switcher`, `router`, or nothing.

    A library function counts as the operation that is all of its formula: relu is max(x, 0).
    """
    formulas = {function.name: function.formula for function in model.functions}
    match operation.node:
        case Binary(operator):
            return _EFFECTS.get(operator, "")
        case Call(function) if function not in formulas:
            return _EFFECTS.get(function, "")
        case Call(function):
            return _effect_of_formula(formulas[function])
    return ""


def _effect_of_formula(formula: Node) -> str:
    match formula:
        case Call(function, arguments) if all(isinstance(a, Name | Number) for a in arguments):
            return _EFFECTS.get(function, "")
    return ""


def roles_of(operation: Operation) -> tuple[str, ...]:
    """A word for each operand, where it matters which is which."""
    match operation.node:
        case Binary("-"):
            return ("", "−")
        case Binary("/"):
            return ("", "÷")
        case Binary("**"):
            return ("", "exponent")
        case Binary("@"):
            return ("left", "right")
        case Call("where", (Compare(operator), _, _)):
            return ("if", operator, "then", "else")
    return operation.arguments if len(operation.operands) > 1 else ()
