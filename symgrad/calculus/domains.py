"""Where a formula has a value, kept when SymPy simplifies: √x·√x is x only where x ≥ 0."""

from __future__ import annotations

import math
from functools import lru_cache, reduce
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.real import within
from symgrad.calculus.terms import CACHE_SIZE, Entry, delta
from symgrad.spec.scalars import INNER, ScalarFunction

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from symgrad.calculus.bounds import Bounds


def forgotten(parts: Collection[sp.Expr], whole: sp.Expr) -> list[sp.Expr]:
    """What must not be negative for the parts to be numbers, and may be for the whole made of them.

    A choice takes the domain of the branch it takes, also one that is made already and left only that branch.
    """
    if whole.is_number or isinstance(whole, sp.Piecewise) or whole in parts:
        return []
    lost = frozenset[sp.Expr]().union(*map(domain, parts)) - domain(whole)
    return sorted((u for u in lost if not u.is_number), key=sp.default_sort_key)


def kept_within(whole: sp.Expr, ends: Iterable[sp.Expr], bounds: Bounds) -> sp.Expr:
    """The expression as no number where one of the ends is negative."""
    return reduce(within, (u for u in ends if not bounds.nonnegative(u)), whole)


@lru_cache(CACHE_SIZE)
def domain(expr: sp.Expr) -> frozenset[sp.Expr]:
    """What must not be negative: expressions under roots and in logarithms, outside of choices."""
    if not expr.args or isinstance(expr, Entry | delta | sp.Piecewise):
        return frozenset()
    return frozenset(own_ends(expr)).union(*map(domain, expr.args))


def is_partial(expr: sp.Expr) -> bool:
    """Whether it has no value somewhere, in a branch of a choice perhaps."""
    nodes = (n for n in sp.preorder_traversal(expr) if isinstance(n, sp.Expr))
    return any(own_ends(n) or (n.is_Pow and n.exp.is_negative) for n in nodes)


def own_ends(expr: sp.Expr) -> tuple[sp.Expr, ...]:
    """What must not be negative for an expression to be a number where its parts are."""
    if expr.is_Pow and expr.exp.is_Rational and not expr.exp.is_integer:
        return (expr.base,)
    if isinstance(expr, within):
        return (expr.args[1],)
    row = INNER.get(type(expr).__name__)
    return ends_of(row, expr.args[0]) if row is not None else ()


def ends_of(row: ScalarFunction, argument: sp.Expr) -> tuple[sp.Expr, ...]:
    """What must not be negative for a function to have a value at an argument."""
    least, most = row.arguments.least, row.arguments.most
    if -least == most:
        return (sp.Rational(most) ** 2 - argument**2,) if math.isfinite(most) else ()
    above = (argument - sp.Rational(least),) if math.isfinite(least) else ()
    return (*above, sp.Rational(most) - argument) if math.isfinite(most) else above
