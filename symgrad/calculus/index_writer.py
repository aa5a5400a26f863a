"""Equations in index form: every entry with its indices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus import typeset as ts
from symgrad.calculus.contraction import as_contraction
from symgrad.calculus.program import LETTERS, Equation, canonical
from symgrad.calculus.scalar_writer import ScalarWriter
from symgrad.calculus.terms import Entry, index_symbol, indices_in

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.calculus.program import Program
    from symgrad.calculus.terms import delta
    from symgrad.calculus.typeset import Formula

FREE_LETTERS = "nsmbace"


class IndexWriter(ScalarWriter):
    """Writes entries with their indices. Tensors in `hidden` are written out where they are used."""

    def __init__(self, program: Program, hidden: Collection[str] = ()) -> None:
        super().__init__(program, hidden)
        self.taken: set[str] = set()

    def equation(self, equation: Equation) -> Formula:
        """The whole equation; with `+=` it holds for every value of every index in it."""
        equation = canonical(equation)
        left = self._indexed(Entry(equation.target, equation.place))
        return ts.Relation(left, "=" if equation.is_plain else "+=", self.right_side(equation))

    def right_side(self, equation: Equation) -> Formula:
        """What stands right of the equality sign."""
        self.taken |= {str(loop.index) for loop in equation.loops}
        self.leading = _leading(equation)
        return self._reduced(equation)

    def _reduced(self, equation: Equation) -> Formula:
        if equation.reduction == "none" or not equation.bound or not equation.is_plain:
            return self.write(equation.body)
        factor, body = fixed_factor(equation)
        indices = tuple(ts.Name(str(loop.index)) for loop in equation.bound)
        return self.scaled(factor, ts.Reduced(equation.reduction, indices, self.write(body)))

    def entry(self, entry: Entry) -> Formula:
        if entry.tensor not in self.hidden:
            return self._indexed(entry)
        definition = self.program.definition[entry.tensor]
        inner = IndexWriter(self.program, self.hidden)
        inner.leading = _leading(definition)
        instance = _instance(definition, entry.indices, self.taken)
        inner.taken = self.taken | {str(loop.index) for loop in instance.loops}
        return inner._reduced(instance)

    def _indexed(self, entry: Entry) -> Formula:
        name = self.tensor(entry.tensor)
        return ts.Indexed(name, tuple(self.write(i) for i in entry.indices)) if entry.indices else name

    def kronecker(self, expr: delta) -> Formula:
        return ts.Call("delta", tuple(self.write(a) for a in expr.args))

    def joined(self, factors: list[sp.Expr]) -> Formula:
        return ts.product("numbers", [self.write(f) for f in factors])


def _leading(equation: Equation) -> tuple[str, ...]:
    """The tensors that come first: the left and the right one of a contraction."""
    contraction = as_contraction(equation)
    return (contraction.left, contraction.right) if contraction else (equation.target,)


def fixed_factor(equation: Equation) -> tuple[sp.Expr, sp.Expr]:
    """(c, body) with numbers and sizes taken out of a sum: -(Σ a)/N, not Σ -a/N."""
    if equation.reduction != "sum":
        return sp.Integer(1), equation.body
    factors = sp.Mul.make_args(equation.body)
    changing = [f for f in factors if f.atoms(Entry) or indices_in(f)]
    fixed = [f for f in factors if f not in changing]
    return (sp.Mul(*fixed), sp.Mul(*changing)) if changing else (sp.Integer(1), equation.body)


def _instance(definition: Equation, indices: tuple[sp.Expr, ...], taken: set[str]) -> Equation:
    """The definition at an entry's indices, its reduced indices renamed to letters not yet taken."""
    renamed: dict[sp.Basic, sp.Expr] = {}
    used = set(taken)
    loops = []
    for loop in definition.bound:
        letters = (FREE_LETTERS if loop.axis.size is None else "") + LETTERS
        name = next((c for c in letters if c not in used), f"i{len(used)}")
        used.add(name)
        renamed[loop.index] = index_symbol(name)
        loops.append(type(loop)(index_symbol(name), loop.axis))
    renamed |= dict(zip(definition.place, indices, strict=True))
    body = definition.body.xreplace(renamed)
    return Equation(definition.target, (), tuple(loops), definition.reduction, body)
