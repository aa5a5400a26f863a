"""Formulas over single entries: `W1₁₂`, `xₙ₁`, as a lecture writes them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import CACHE_SIZE, Entry, delta, entries, indices_as_numbers, indices_in, text_of
from symgrad.notation.arrange import ONE, negated, product, signed
from symgrad.notation.convention import ROWS, Convention
from symgrad.notation.reduce import Over
from symgrad.notation.scalar_writer import Order, ScalarWriter
from symgrad.notation.typesetting import typeset as ts

if TYPE_CHECKING:
    from symgrad.calculus.program import Program
    from symgrad.notation.typesetting.typeset import Formula


class EntryWriter(ScalarWriter):
    """Writes entries with subscripts that count from 1; labels keep their own numbers, which count from 0.

    Factors stand as the chain rule meets them, from the loss back to the inputs, unless `leading` says
    which tensors come first.
    """

    def __init__(self, program: Program, convention: Convention = ROWS) -> None:
        super().__init__(program, convention=convention)
        self.position = _positions(program)

    def write(self, expr: sp.Expr) -> Formula:
        return super().write(_numbers_of_letters(expr))

    def entry(self, entry: Entry) -> Formula:
        entry = self.at_its_step(entry)
        name, indices = self.tensor(entry.tensor), self.subscripts(entry)
        if isinstance(name, ts.Transposed):
            return ts.Subscripted(name.base, indices[::-1])
        return ts.Subscripted(name, indices) if indices else name

    def subscripts(self, entry: Entry) -> tuple[Formula, ...]:
        """The indices of an entry, counted from 1."""
        return tuple(self._from_one(i) for i in entry.indices)

    def _from_one(self, index: sp.Expr) -> Formula:
        if isinstance(index, Entry):
            return ts.Sum(((False, self.write(index)), (False, ONE)))
        return self.write(_of_letters(index) + 1)

    def kronecker(self, expr: delta) -> Formula:
        if any(isinstance(a, Entry) for a in expr.args):
            return ts.CallText("delta", tuple(self.write(_of_letters(a)) for a in expr.args))
        return ts.CallText("delta", tuple(self._from_one(a) for a in expr.args))

    def joined(self, factors: list[sp.Expr]) -> Formula:
        return product("numbers", [self.write(f) for f in factors])

    def gradient(self, expr: sp.Expr) -> Formula:
        """The formula, with what stands before its sum apart: beside a learning rate `0.1·(2/N)·Σ_n …`."""
        totals = [f for f in sp.Mul.make_args(expr) if isinstance(f, Over)]
        factor = expr / totals[0] if len(totals) == 1 else sp.Integer(1)
        _, divisor = sp.fraction(factor)
        if divisor.is_number:
            return self.write(expr)
        negative, before = signed(self.write(factor))
        found = ts.ProductText("numbers", (before, self.write(totals[0])))
        return negated(found) if negative else found

    def _order_of_factor(self, factor: sp.Expr) -> Order:
        order = super()._order_of_factor(factor)
        if self.leading or order[0] in (0, 1, 9):
            return order
        depth = max(self.position.get(e.tensor, 0) for e in entries(factor))
        return 2, not self._has_error(factor), -depth, not isinstance(factor, Entry), _natural(factor)

    def _order_of_term(self, negative: bool, term: sp.Expr) -> Order:
        return *super()._order_of_term(negative, term)[:-1], _natural(term)


def _positions(program: Program) -> dict[str, int]:
    """How far from the inputs a tensor is: the place of its equation, or of the first that reads it."""
    found: dict[str, int] = {}
    for number, equation in enumerate(program.equations):
        for name in equation.reads:
            found.setdefault(name, number)
        found.setdefault(equation.target, number)
    return found


def _of_letters(index: sp.Expr) -> sp.Expr:
    """An index in terms of letters that count from 1; a label stays."""
    return (
        index if isinstance(index, Entry) else index.xreplace({s: _letter(s) - 1 for s in indices_in(index)})
    )


def _letter(index: sp.Symbol) -> sp.Symbol:
    """The letter of an index, which is no index itself and so written as it stands."""
    return sp.Symbol(index.name, real=True)


def _numbers_of_letters(expr: sp.Expr) -> sp.Expr:
    """The indices that are computed with, in terms of letters that count from 1."""
    if isinstance(expr, Entry | delta | Over) or not indices_as_numbers(expr):
        return expr  # what is summed is written for itself, and its index is a letter of the sum
    if isinstance(expr, sp.Symbol):
        return _letter(expr) - 1
    return expr.func(*map(_numbers_of_letters, expr.args))


@lru_cache(CACHE_SIZE)
def _natural(expr: sp.Expr) -> tuple[tuple[int, str], ...]:
    """A key that sorts `W[2, 0]` before `W[10, 0]`."""
    parts = re.split(r"(\d+)", text_of(expr))
    return tuple((int(part), "") if part.isdigit() else (0, part) for part in parts)
