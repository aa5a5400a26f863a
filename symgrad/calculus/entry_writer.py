"""Formulas over single entries: `W1₁₂`, `xₙ₁`, as a lecture writes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus import typeset as ts
from symgrad.calculus.arrange import product
from symgrad.calculus.over import Over
from symgrad.calculus.scalar_writer import ScalarWriter
from symgrad.calculus.terms import Entry, entries, indices_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.program import Program
    from symgrad.calculus.scalar_writer import Order
    from symgrad.calculus.terms import delta
    from symgrad.calculus.typeset import Formula


class EntryWriter(ScalarWriter):
    """Writes entries with subscripts that count from 1; labels keep their own numbers, which count from 0.

    Factors of a cotangent stand as the chain rule meets them, from the loss back to the inputs; those
    of a forward value the other way round. `spelled` gives some entries another formula.
    """

    def __init__(
        self, program: Program, *, forward: bool = False, spelled: Mapping[str, Formula] | None = None
    ) -> None:
        super().__init__(program, ())
        self.spelled = spelled or {}
        self.forward = forward
        self.position = _positions(program)

    def entry(self, entry: Entry) -> Formula:
        if entry.tensor in self.spelled:
            return self.spelled[entry.tensor]
        name = self.tensor(entry.tensor)
        return ts.Subscripted(name, self.subscripts(entry)) if entry.indices else name

    def subscripts(self, entry: Entry) -> tuple[Formula, ...]:
        """The indices of an entry, counted from 1."""
        return tuple(self.write(_from_zero(i) + 1) for i in entry.indices)

    def kronecker(self, expr: delta) -> Formula:
        has_label = any(isinstance(a, Entry) for a in expr.args)
        return ts.Call("delta", tuple(self.write(_from_zero(a) + (not has_label)) for a in expr.args))

    def joined(self, factors: list[sp.Expr]) -> Formula:
        return product("numbers", [self.write(f) for f in factors])

    def gradient(self, expr: sp.Expr) -> Formula:
        """The formula, with what stands before its sum apart: `0.1·(2/N)·Σ_n …` beside a learning rate 0.1."""
        totals = [f for f in sp.Mul.make_args(expr) if isinstance(f, Over)]
        factor = expr / totals[0] if len(totals) == 1 else sp.Integer(1)
        _, divisor = sp.fraction(factor)
        if divisor.is_number:
            return self.write(expr)
        return ts.Product("numbers", (self.write(factor), self.write(totals[0])))

    def _order_of_factor(self, factor: sp.Expr) -> Order:
        order = super()._order_of_factor(factor)
        if order[0] in (0, 1, 9):
            return order
        held = entries(factor)
        depth = max(self.position.get(e.tensor, 0) for e in held)
        is_parameter = all(self._is_parameter(e) for e in held)
        along = (depth, is_parameter) if self.forward else (not self._has_error(factor), -depth)
        return 2, along, not isinstance(factor, Entry), _natural(str(factor))

    def _order_of_term(self, negative: bool, term: sp.Expr) -> Order:
        return *super()._order_of_term(negative, term)[:-1], _natural(str(term))

    def _is_parameter(self, entry: Entry) -> bool:
        tensor = self.program.tensor.get(entry.tensor)
        return tensor is not None and tensor.kind == "parameter"


def _positions(program: Program) -> dict[str, int]:
    """How far from the inputs a tensor is: the place of its equation, or of the first that reads it."""
    found: dict[str, int] = {}
    for number, equation in enumerate(program.equations):
        for name in equation.reads:
            found.setdefault(name, number)
        found.setdefault(equation.target, number)
    return found


def _from_zero(index: sp.Expr) -> sp.Expr:
    """An index in terms of letters that count from 1."""
    if isinstance(index, Entry):
        return index
    return index.xreplace({s: s - 1 for s in indices_in(index)})


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts `W[2, 0]` before `W[10, 0]`."""
    return tuple((int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", text))
