"""Powers of sums with a large constant, as in the slope of a quotient: 2c·x/(c + x²)² is (2/c)·x/(1 + x²/c)².

The square of 1e30 is no number of float32, though the slope is one. A pass for computing only; what is shown
stays the plain formula. It is made where the numbers that come of it lie within the type, and no others.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.bounds import Bounds
from symgrad.calculus.editing import with_equations
from symgrad.calculus.real import with_parts
from symgrad.calculus.terms import Entry, delta
from symgrad.spec.language.number_types import LARGEST, SMALLEST_NORMAL

if TYPE_CHECKING:
    from symgrad.calculus.program import Program


def with_scaled_powers(program: Program, dtype: str) -> Program:
    """The program with its powers of sums that would overflow divided by their constants."""
    scaling = _Scaling(Bounds(program.definition), dtype)
    return with_equations(program, (e.with_body(scaling(e.body)) for e in program.equations))


class _Scaling:
    def __init__(self, bounds: Bounds, dtype: str) -> None:
        self.bounds = bounds
        self.smallest, self.largest = Fraction(SMALLEST_NORMAL[dtype]), Fraction(LARGEST[dtype])

    def __call__(self, expr: sp.Expr) -> sp.Expr:
        if not expr.has(sp.Pow) or isinstance(expr, Entry | delta):
            return expr
        expr = with_parts(expr, self)
        if not (expr.is_Mul or expr.is_Pow):
            return expr
        scaled = [self._scaled(factor) for factor in sp.Mul.make_args(expr)]
        if not any(number != 1 for number, _ in scaled):
            return expr
        number, rest = sp.Mul(*(part for pair in scaled for part in pair)).as_coeff_Mul()
        return number * rest if self._holds(number) else expr

    def _scaled(self, factor: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
        """A number, and what it is multiplied with to give the factor; 1 where that is not called for."""
        base, exponent = factor.as_base_exp()
        if not (exponent.is_Integer and exponent <= -2):
            return sp.Integer(1), factor
        total = self.bounds.formula_of(base)
        constant, rest = total.as_coeff_Add()
        if not (rest and constant and constant.is_Rational and self._is_lost(constant**exponent)):
            return sp.Integer(1), factor
        return constant**exponent, (1 + sp.Add(*(t / constant for t in sp.Add.make_args(rest)))) ** exponent

    def _is_lost(self, number: sp.Expr) -> bool:
        """Whether the inverse of a number is too large for the type."""
        return 1 / self._size(number) > self.largest

    def _holds(self, number: sp.Expr) -> bool:
        return number.is_Rational and self.smallest <= self._size(number) <= self.largest

    @staticmethod
    def _size(number: sp.Expr) -> Fraction:
        return abs(Fraction(int(number.p), int(number.q)))
