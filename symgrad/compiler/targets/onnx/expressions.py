"""Expressions of kernels as ONNX operators, entry by entry over arrays of one rank."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from onnx import TensorProto

from symgrad.compiler.kernels.instructions import (
    Applied,
    Cases,
    Compared,
    Denied,
    Divided,
    Expression,
    FormedFirst,
    Joined,
    Literal,
    Multiplied,
    Negated,
    Raised,
    Summed,
    Typed,
    Variable,
)
from symgrad.errors import InternalError, ModuleError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from symgrad.compiler.targets.onnx.operators import Operators

_OPERATORS = {
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "sin": "Sin",
    "cos": "Cos",
    "tanh": "Tanh",
    "Abs": "Abs",
    "sigmoid": "Sigmoid",
    "sign": "Sign",
    "floor": "Floor",
    "Max": "Max",
    "Min": "Min",
}
_SINGLE = {"asin": "Asin", "acos": "Acos", "atan": "Atan", "erf": "Erf"}
"""Those that ONNX Runtime computes in single precision only."""
_FORMED_FIRST = {"-": "Sub", "/": "Div", "*": "Mul"}
_RELATIONS = {"<": "Less", "<=": "LessOrEqual", ">": "Greater", ">=": "GreaterOrEqual", "==": "Equal"}


class Expressions:
    """Writes expressions into a graph, whose results are variables."""

    def __init__(self, ops: Operators) -> None:
        self.ops = ops

    def value(self, expression: Expression) -> str:
        """The name of the result.

        Raises:
            ModuleError: a function that ONNX has not.
        """
        of, value = self.ops.of, self.value
        match expression:
            case Variable(name):
                return name
            case Literal(number):
                return self.ops.number(number)
            case Typed(inner):
                return value(inner)
            case Negated(operand):
                return of("Neg", value(operand))
            case Summed(terms):
                return self._sum(terms)
            case Multiplied(factors):
                return self._joined("Mul", map(value, factors))
            case Divided(dividend, divisor):
                return of("Div", value(dividend), value(divisor))
            case Raised(base, exponent):
                return of("Pow", value(base), value(exponent))
            case FormedFirst(left, operator, right):
                return of(_FORMED_FIRST[operator], value(left), value(right))
            case Cases(branches, other):
                cases = [(self._condition(condition), value(branch)) for branch, condition in branches]
                return reduce(lambda chosen, case: of("Where", *case, chosen), reversed(cases), value(other))
            case Applied(function, arguments):
                return self._applied(function, [value(argument) for argument in arguments])
        raise InternalError(f"no such expression in a formula: {expression}")

    def _sum(self, terms: Iterable[tuple[bool, Expression]]) -> str:
        (first_is_subtracted, first), *others = terms
        found = self.value(first)
        if first_is_subtracted:
            found = self.ops.of("Neg", found)
        for is_subtracted, term in others:
            found = self.ops.of("Sub" if is_subtracted else "Add", found, self.value(term))
        return found

    def _joined(self, operator: str, parts: Iterable[str]) -> str:
        return reduce(lambda a, b: self.ops.of(operator, a, b), parts)

    def _condition(self, condition: Expression) -> str:
        match condition:
            case Joined(conditions, every):
                return self._joined("And" if every else "Or", map(self._condition, conditions))
            case Denied(inner):
                return self.ops.of("Not", self._condition(inner))
            case Compared(left, "!=", right):
                return self.ops.of("Not", self.ops.of("Equal", self.value(left), self.value(right)))
            case Compared(left, sign, right):
                return self.ops.of(_RELATIONS[sign], self.value(left), self.value(right))
        raise InternalError(f"no condition: {condition}")

    def _applied(self, function: str, arguments: list[str]) -> str:
        if function in _OPERATORS:
            return self.ops.of(_OPERATORS[function], *arguments)
        (x,) = arguments if len(arguments) == 1 else ("",)
        if function in _SINGLE:
            return self._in_single(_SINGLE[function], x)
        if function not in _MADE_OF_OTHERS:
            raise ModuleError(
                f"ONNX has no '{function}', and symgrad does not know by what others it is",
                remedy="write it by others in the spec",
            )
        return _MADE_OF_OTHERS[function](self, x)

    def _in_single(self, operator: str, x: str) -> str:
        single = self.ops.of(operator, self.ops.of("Cast", x, to=TensorProto.FLOAT))
        return self.ops.of("Cast", single, to=self.ops.element)

    def _square(self, x: str) -> str:
        return self.ops.of("Mul", x, x)

    def _erfc(self, x: str) -> str:
        return self.ops.of("Sub", self.ops.number(1), self._applied("erf", [x]))

    def _log1p(self, x: str) -> str:
        """log(u)·x/(u − 1) of u = 1 + x as it is rounded (D. Goldberg, ACM Computing Surveys 23, 1991)."""
        one, of = self.ops.number(1), self.ops.of
        u = of("Add", x, one)
        log = of("Log", u)
        kept = of("Mul", log, of("Div", x, of("Sub", u, one)))
        return of("Where", of("Equal", u, one), x, of("Where", of("Equal", u, x), log, kept))

    def _expm1(self, x: str) -> str:
        """2t/(1 − t) of t = tanh(x/2) where x is small."""
        one, of = self.ops.number(1), self.ops.of
        half = of("Tanh", of("Mul", x, self.ops.number(0.5)))
        small = of("Div", of("Add", half, half), of("Sub", one, half))
        is_small = of("Less", of("Abs", x), one)
        return of("Where", is_small, small, of("Sub", of("Exp", x), one))

    def _tan(self, x: str) -> str:
        return self.ops.of("Div", self.ops.of("Sin", x), self.ops.of("Cos", x))

    def _cosh(self, x: str) -> str:
        return self._half_of_exponentials("Add", x)

    def _sinh(self, x: str) -> str:
        """(m + m/(m + 1))/2 of m = expm1(x) where x is small."""
        one, of = self.ops.number(1), self.ops.of
        less = self._expm1(x)
        both = of("Add", less, of("Div", less, of("Add", less, one)))
        is_small = of("Less", of("Abs", x), one)
        small = of("Mul", both, self.ops.number(0.5))
        return of("Where", is_small, small, self._half_of_exponentials("Sub", x))

    def _half_of_exponentials(self, operator: str, x: str) -> str:
        up, down = self.ops.of("Exp", x), self.ops.of("Exp", self.ops.of("Neg", x))
        return self.ops.of("Mul", self.ops.of(operator, up, down), self.ops.number(0.5))

    def _softplus(self, x: str) -> str:
        """max(x, 0) + log1p(exp(−|x|)), which does not overflow."""
        tail = self._log1p(self.ops.of("Exp", self.ops.of("Neg", self.ops.of("Abs", x))))
        return self.ops.of("Add", self.ops.of("Max", x, self.ops.number(0)), tail)

    def _logcosh(self, x: str) -> str:
        """|x| + log1p((exp(−2|x|) − 1)/2), which does not overflow, and is 0 at 0."""
        size = self.ops.of("Abs", x)
        less = self._expm1(self.ops.of("Mul", size, self.ops.number(-2)))
        return self.ops.of("Add", size, self._log1p(self.ops.of("Mul", less, self.ops.number(0.5))))


_MADE_OF_OTHERS = {
    "square": Expressions._square,
    "erfc": Expressions._erfc,
    "tan": Expressions._tan,
    "sinh": Expressions._sinh,
    "cosh": Expressions._cosh,
    "log1p": Expressions._log1p,
    "expm1": Expressions._expm1,
    "softplus": Expressions._softplus,
    "logcosh": Expressions._logcosh,
}
