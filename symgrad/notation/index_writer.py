"""Equations in index form: every entry with its indices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.contraction import as_contraction
from symgrad.calculus.program import Equation, Program, as_read
from symgrad.calculus.terms import Entry, delta, drawn
from symgrad.notation.arrange import product
from symgrad.notation.convention import ROWS, Convention
from symgrad.notation.nested import fixed_factor, instance, merged_sums
from symgrad.notation.scalar_writer import ScalarWriter
from symgrad.notation.typesetting import typeset as ts

if TYPE_CHECKING:
    from collections.abc import Collection

    import sympy as sp

    from symgrad.notation.typesetting.typeset import Formula


class IndexWriter(ScalarWriter):
    """Writes entries with their indices. Tensors in `hidden` are written out where they are used."""

    def __init__(self, program: Program, hidden: Collection[str] = (), convention: Convention = ROWS) -> None:
        super().__init__(program, hidden, convention)
        self.taken = {*program.names}

    def equation(self, equation: Equation) -> Formula:
        """The whole equation; with `+=` it holds for every value of every index in it."""
        equation = as_read(equation, self.program.names)
        left = self._indexed(Entry(equation.target, equation.indices))
        if equation.scatters:
            return ts.Relation(left, "+=", self.right_side(equation))
        if isinstance(equation.body, drawn):
            return ts.Relation(left, "~", self.distribution(equation.target))
        return ts.Relation(self.defined(equation.target, left), "=", self.right_side(equation))

    def right_side(self, equation: Equation) -> Formula:
        """What stands right of the equality sign."""
        equation = merged_sums(equation, self.program, self.hidden)
        self.taken |= {str(loop.index) for loop in equation.loops}
        self.leading = leading_tensors(equation)
        return self._reduced(equation)

    def _reduced(self, equation: Equation) -> Formula:
        if equation.reduction == "none" or not equation.bound or equation.scatters:
            return self.write(equation.body)
        factor, body = fixed_factor(equation)
        indices = tuple(ts.NameText(str(loop.index)) for loop in equation.bound)
        return self.scaled(factor, self.reduced(equation.reduction, indices, self.write(body)))

    def entry(self, entry: Entry) -> Formula:
        if entry.tensor not in self.hidden:
            return self._indexed(entry)
        definition = self.program.definition[entry.tensor]
        inner = IndexWriter(self.program, self.hidden, self.convention)
        inner.leading = leading_tensors(definition)
        here = instance(definition, entry.indices, self.taken)
        inner.taken = self.taken | {str(loop.index) for loop in here.loops}
        return inner._reduced(here)

    def _indexed(self, entry: Entry) -> Formula:
        entry = self.at_its_step(entry)
        name = self.tensor(entry.tensor)
        indices = tuple(self.write(i) for i in entry.indices)
        if isinstance(name, ts.Transposed):
            return ts.Indexed(name.base, indices[::-1])
        return ts.Indexed(name, indices) if indices else name

    def kronecker(self, expr: delta) -> Formula:
        return ts.CallText("delta", tuple(self.write(a) for a in expr.args))

    def joined(self, factors: list[sp.Expr]) -> Formula:
        return product("numbers", [self.write(f) for f in factors])


def leading_tensors(equation: Equation) -> tuple[str, ...]:
    """The tensors that come first: the left and the right one of a contraction."""
    contraction = as_contraction(equation)
    return (contraction.left, contraction.right) if contraction else (equation.target,)
