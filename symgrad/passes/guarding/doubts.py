"""What guards ask of tensors: which may be no finite number though data are, and which are 0 by a choice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.contraction import as_product
from symgrad.calculus.domains import own_ends
from symgrad.calculus.terms import Entry, delta, expm1, shifted

if TYPE_CHECKING:
    from symgrad.calculus.bounds import Bounds
    from symgrad.calculus.program import Equation

_OVERFLOWING = (sp.exp, expm1, sp.sinh, sp.cosh, sp.tan)


@dataclass
class Doubts:
    """Tensors by name: `steep` derivatives may be infinite, `wild` values may be no finite number, `chosen`
    derivatives are exactly 0 where a choice took another branch."""

    steep: set[str] = field(default_factory=set)
    wild: set[str] = field(default_factory=set)
    chosen: set[str] = field(default_factory=set)

    def note_value(self, equation: Equation, bounds: Bounds) -> None:
        """Remember what a value or a slope of it may be."""
        if self.is_wild(equation.body, bounds):
            self.wild.add(equation.target)

    def note_derivative(self, equation: Equation, bounds: Bounds) -> None:
        """Remember whether a derivative is 0 by a choice; sums of products are not looked through."""
        if as_product(equation) is None and self.zero_by_choice(equation.body, bounds) != sp.false:
            self.chosen.add(equation.target)

    def is_wild(self, expr: sp.Expr, bounds: Bounds) -> bool:
        """Whether a value may be infinite or no number: it leaves a domain, divides by what may be 0, grows.

        Products and sums of what is not wild are taken for finite.
        """
        if not expr.args or isinstance(expr, Entry | delta):
            return isinstance(expr, Entry) and expr.tensor in self.wild
        if isinstance(expr, _OVERFLOWING) and not isinstance(expr.args[0], shifted):
            return True
        if expr.is_Pow and (_grows(expr) or (expr.exp.is_negative and not bounds.nonzero(expr.base))):
            return True
        if not all(map(bounds.nonnegative, own_ends(expr))):
            return True
        return any(self.is_wild(part, bounds) for part in expr.args if isinstance(part, sp.Basic))

    def zero_by_choice(self, expr: sp.Expr, bounds: Bounds) -> sp.Basic:
        """Where an expression is exactly 0 because a choice, in it or before it, took a branch that is 0."""
        if isinstance(expr, Entry):
            return sp.Eq(expr, 0) if expr.tensor in self.chosen else sp.false
        if isinstance(expr, sp.Piecewise):
            cases, before = [], sp.true
            for value, condition, known in bounds.branches(expr):
                cases.append(sp.And(before, condition, self.zero_by_choice(value, known)))
                before = sp.And(before, sp.Not(condition))
            return sp.Or(*cases)
        if expr.is_Mul:
            return sp.Or(*(self.zero_by_choice(factor, bounds) for factor in expr.args))
        if expr.is_Add:
            return sp.And(*(self.zero_by_choice(term, bounds) for term in expr.args))
        return sp.true if expr == 0 else sp.false


def _grows(power: sp.Expr) -> bool:
    return not power.exp.is_negative and not (power.exp.is_number and power.exp < 1)
