"""Reductions as terms of an expression: `Σ_n f(n)` where formulas are put into one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import entries, indices_in
from symgrad.notation.factors import content

if TYPE_CHECKING:
    from collections.abc import Iterable

    from symgrad.calculus.program import Loop


class Over(sp.Expr):
    """A reduction of `body` over indices: a sum, a maximum or a minimum. Equations never hold one."""

    is_commutative = True
    is_real = True

    def __new__(cls, kind: sp.Symbol, body: sp.Expr, *ranges: sp.Tuple) -> Over:
        made: Over = sp.Expr.__new__(cls, kind, body, *ranges)
        return made

    @property
    def kind(self) -> str:
        return str(self.args[0])

    @property
    def body(self) -> sp.Expr:
        return self.args[1]

    @property
    def ranges(self) -> tuple[tuple[sp.Symbol, sp.Expr], ...]:
        """The indices with their numbers of values."""
        return tuple((index, extent) for index, extent in self.args[2:])

    @property
    def free_symbols(self) -> set[sp.Basic]:
        """Without the indices it runs over."""
        extents = {s for _, extent in self.ranges for s in extent.free_symbols}
        inside: set[sp.Basic] = self.body.free_symbols
        return (inside - {index for index, _ in self.ranges}) | extents


def reduced(kind: str, body: sp.Expr, loops: Iterable[Loop]) -> sp.Expr:
    """The body reduced over the loops. Numbers and sizes stand before a sum: `2·(Σ a)/N`, not `Σ 2·a/N`."""
    return _over(kind, body, tuple(sp.Tuple(loop.index, loop.axis.extent) for loop in loops))


def with_factors_taken_out(expr: sp.Expr) -> sp.Expr:
    """The expression with numbers and sizes before its sums, also those that all terms of a bracket have."""
    return sp.Mul(*_split(expr))


def with_signs_taken_out(expr: sp.Expr) -> sp.Expr:
    """`a - p·(b + c)` for `a + p·(-b - c)`."""
    if expr.is_Add:
        return sp.Add(*map(with_signs_taken_out, expr.args))
    if not expr.is_Mul:
        return expr
    factors = [-f if _is_all_negative(f) else f for f in expr.args]
    sign = sp.Integer(-1) ** sum(map(_is_all_negative, expr.args))
    return sp.Mul(sign, *factors)


def _is_all_negative(expr: sp.Expr) -> bool:
    return bool(expr.is_Add) and all(t.as_coeff_Mul()[0].is_negative for t in expr.args)


def _over(kind: str, body: sp.Expr, ranges: tuple[sp.Tuple, ...]) -> sp.Expr:
    if kind != "sum" or not ranges:
        return Over(sp.Symbol(kind), body, *ranges) if ranges else body
    fixed, changing = _split(body)
    if changing == 1:
        return sp.Mul(body, *(extent for _, extent in ranges))
    return sp.Mul(fixed, Over(sp.Symbol("sum"), changing, *ranges))


def _split(expr: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """(2/N, a) for 2a/N: what is the same for all indices and data, and the rest."""
    if not entries(expr) and not indices_in(expr):
        return expr, sp.Integer(1)
    if expr.is_Mul:
        fixed, changing = zip(*map(_split, expr.args), strict=True)
        return sp.Mul(*fixed), sp.Mul(*changing)
    if isinstance(expr, Over) and expr.kind == "sum":
        fixed, changing = _split(expr.body)
        return fixed, Over(sp.Symbol("sum"), changing, *expr.args[2:])
    if not expr.is_Add:
        return sp.Integer(1), expr
    parts = [_split(term) for term in expr.args]
    sizes = {fixed.as_coeff_Mul()[1] for fixed, _ in parts}
    common = sizes.pop() if len(sizes) == 1 else sp.Integer(1)
    number, rest = content(sp.Add(*(fixed / common * changing for fixed, changing in parts)))
    return common * number, rest


def bound_letters(expr: sp.Expr) -> set[str]:
    """The names of the indices that reductions in an expression run over."""
    return {str(index) for total in expr.atoms(Over) for index, _ in total.ranges}
