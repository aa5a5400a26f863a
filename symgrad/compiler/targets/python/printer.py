"""Expressions and instructions as Python text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symgrad.compiler.kernels import instructions as ir
from symgrad.compiler.targets.python.expression import (
    Code,
    Strength,
    call,
    choice,
    compared,
    conjunction,
    disjunction,
    negation,
    negative,
    power,
    product,
    quotient,
    total,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

INDENT = "    "
FORMED_FIRST = {"-": "difference_first", "/": "quotient_first", "*": "product_first"}
"""What forms a difference, a quotient or a product before anything else."""


class Printer:
    """Prints Python. `spelled` is what a function is called: its name in SymPy, and whether it is plain."""

    def __init__(self, spelled: Callable[[str, bool], str]) -> None:
        self.spelled = spelled

    def text(self, expression: ir.Expression) -> str:
        """The text of an expression that stands alone."""
        return self.code(expression).text

    def code(self, expression: ir.Expression) -> Code:
        """The text of an expression with its strength, to be made a part of another."""
        match expression:
            case ir.Variable(name):
                return Code(name)
            case ir.Literal(value):
                return _number(value)
            case ir.Verbatim(text):
                return Code(text)
            case ir.Together(values):
                return Code(self._tuple(values))
            case ir.Cell(array, indices):
                return Code(f"{array.name}[{self._listed(indices) or '0'}]")
            case ir.Length(array, axis):
                return Code(f"{array.name}.shape[{axis}]")
            case ir.Typed(value):
                return call("real", [self.code(value)])
            case ir.Applied(function, arguments, plain):
                return call(self.spelled(function, plain), map(self.code, arguments))
            case ir.FormedFirst(left, operator, right):
                return call(self.spelled(FORMED_FIRST[operator], False), map(self.code, (left, right)))
            case ir.Window(vector, start, shape):
                return Code(self._view(vector.name, self.text(start), shape))
            case ir.Matrix(array, shape, transposed):
                matrix = self.text(array)
                if shape and isinstance(array, ir.ArraySection):
                    matrix = f"{matrix}.reshape({self._listed(shape)})"
                elif shape:
                    matrix = self._view(matrix, "0", shape)
                return Code(f"{matrix}{'.T' if transposed else ''}")
            case ir.ArraySection(array, indices):
                return Code(f"{array.name}[{', '.join(map(self._part, indices))}]")
            case ir.Cases() | ir.Compared() | ir.Joined() | ir.Denied():
                return self._condition(expression)
        return self._arithmetic(expression)

    def _view(self, array: str, start: str, shape: Sequence[ir.Expression]) -> str:
        return f"{self.spelled('view', False)}({array}, {start}, {self._tuple(shape)})"

    def _tuple(self, values: Sequence[ir.Expression]) -> str:
        return f"({self._listed(values)}{',' if len(values) == 1 else ''})"

    def _part(self, index: ir.Expression | ir.Stretch | None) -> str:
        """What a section has of an axis: all of it, some of it, or one place."""
        match index:
            case None:
                return ":"
            case ir.Stretch(start, end):
                return f"{self.text(start)}:{self.text(end)}"
        return self.text(index)

    def _arithmetic(self, expression: ir.Expression) -> Code:
        match expression:
            case ir.Negated(operand):
                return negative(self.code(operand))
            case ir.Summed(terms):
                return total([(is_subtracted, self.code(term)) for is_subtracted, term in terms])
            case ir.Multiplied(factors):
                return product(list(map(self.code, factors)))
            case ir.Divided(dividend, divisor):
                return quotient(self.code(dividend), self.code(divisor))
            case ir.Raised(base, exponent):
                return power(self.code(base), self.code(exponent))
        raise TypeError(f"no expression: {expression}")

    def _condition(self, expression: ir.Expression) -> Code:
        match expression:
            case ir.Cases(branches, other):
                found = Code(self.code(other).within(Strength.SIGN))
                for value, condition in reversed(branches):
                    found = choice(Code(self.code(value).within(Strength.SIGN)), self.code(condition), found)
                return Code(found.within(Strength.ATOM))
            case ir.Compared(left, operator, right):
                return compared(self.code(left), operator, self.code(right))
            case ir.Joined(conditions, every):
                join = conjunction if every else disjunction
                return join(Code(f"({self.text(condition)})") for condition in conditions)
            case ir.Denied(condition):
                return negation(Code(self.code(condition).within(Strength.ATOM)))
        raise TypeError(f"no condition: {expression}")

    def _listed(self, expressions: Iterable[ir.Expression]) -> str:
        return ", ".join(map(self.text, expressions))

    def lines(self, instructions: Iterable[ir.Instruction]) -> Iterator[str]:
        """The lines of instructions, one after another."""
        for instruction in instructions:
            yield from self._instruction(instruction)

    def _instruction(self, instruction: ir.Instruction) -> Iterator[str]:
        match instruction:
            case ir.Note(text):
                yield f"# {text}"
            case ir.TypeOf(array):
                yield f"real = {array.name}.dtype.type"
            case ir.Assign(target, value):
                yield f"{self.text(target)} = {self.text(value)}"
            case ir.Add(target, value):
                yield f"{self.text(target)} += {self.text(value)}"
            case ir.Clear(array):
                yield f"{self.text(array)}[:] = 0"
            case ir.Invoke(function, arguments):
                yield f"{function}({self._listed(arguments)})"
            case ir.ForRange(index, count, body, step, start):
                is_plain = step is None and start == ir.Literal(0)
                bounds = (count,) if is_plain else (start, count, *([] if step is None else [step]))
                yield f"for {index.name} in range({self._listed(bounds)}):"
                yield from map(INDENT.__add__, self.lines(body))
            case ir.When(condition, body):
                yield f"if {self.text(condition)}:"
                yield from map(INDENT.__add__, self.lines(body))
            case ir.Give(values):
                yield f"return {self._listed(values)}"


def _number(value: float) -> Code:
    """A number; what is none, or infinite, by NumPy's name."""
    if not np.isfinite(value):
        name = f"np.{abs(value)!r}"
        return Code(f"-{name}", Strength.SIGN) if value < 0 else Code(name)
    return Code(repr(value), Strength.SIGN if value < 0 else Strength.ATOM)
