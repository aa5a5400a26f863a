"""Slopes of functions that fall to 0 at a pole of their argument, faster than powers rise: exp(-1/x**2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.real import Abs
from symgrad.calculus.terms import Entry, entries
from symgrad.passes.guarding.limits import divisors
from symgrad.spec.scalars import INNER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from symgrad.calculus.bounds import Bounds


def fallen(factors: Collection[sp.Expr], bounds: Bounds, steep: Collection[sp.Expr]) -> Iterator[sp.Basic]:
    """Conditions under which a product is 0: a factor has fallen to 0 at poles of the others.

    So are exp(-1/x**2)/x**3 at 0, and the slope of tanh(1/x). `steep` are the factors that may be infinite.
    Of exp(-1/x**2)/(x**3*y) this is so where y is not 0 too: there it has no limit.
    """
    poles = {factor: [*_poles_of(factor, bounds)] for factor in factors}
    if not all(poles[factor] for factor in steep):
        return
    bases = dict.fromkeys(base for found in poles.values() for base in found)
    for factor in factors:
        formula = _written_out(factor, bounds)
        call = formula.base if formula.is_Pow and formula.exp.is_positive else formula
        row = INNER.get(type(call).__name__)
        if row is None or not (row.values.least == 0 and row.values.open_least):
            continue
        argument = call.args[0]
        shared = [base for base in bases if _has_pole_of(argument, base)]
        if not shared:
            argument = argument.xreplace({e: bounds.formula_of(e) for e in entries(argument)})
            shared = [base for base in bases if _has_pole_of(argument, base)]
        if not shared:
            continue
        elsewhere = (sp.Ne(base, 0) for base in bases if base not in shared)
        if factor.atoms(Entry) == {factor}:
            yield sp.And(sp.Eq(factor, 0), *elsewhere)
        else:
            side = argument < 0 if row.values.open_most else sp.true
            folded = sp.piecewise_fold(argument)
            if folded.has(sp.zoo, sp.nan) and side != sp.true:  # divided by a chosen 0 it has no side
                continue
            is_in_branches = not {*map(_same_zeros, divisors(argument))}.issuperset(shared)
            yield sp.And(_where_infinite(folded if is_in_branches else argument, shared), *elsewhere, side)


def _where_infinite(argument: sp.Expr, bases: Collection[sp.Expr]) -> sp.Basic:
    """Where one of the bases is 0 by which the argument divides, in the branch that is taken."""
    if not isinstance(argument, sp.Piecewise):
        return sp.Or(*(sp.Eq(base, 0) for base in bases if _has_pole_of(argument, base)))
    cases, before = [], sp.true
    for value, condition in argument.args:
        cases.append(sp.And(before, condition, _where_infinite(value, bases)))
        before = sp.And(before, sp.Not(condition))
    return sp.Or(*cases)


def _poles_of(factor: sp.Expr, bounds: Bounds) -> Iterator[sp.Expr]:
    """What is 0 where the factor, or a part of it, is infinite by a power."""
    for term in sp.Add.make_args(factor):
        if isinstance(term, sp.Piecewise):
            for value, _, known in bounds.branches(term):
                yield from _poles_of(value, known)
            continue
        for part in (_written_out(part, bounds) for part in sp.Mul.make_args(term)):
            if part.is_Add or isinstance(part, sp.Piecewise):
                yield from _poles_of(part, bounds)
            elif part.is_Pow and not part.exp.is_nonnegative and not bounds.nonzero(part.base):
                yield _same_zeros(part.base)


def _same_zeros(base: sp.Expr) -> sp.Expr:
    """What is 0 where a base is, for |v| v."""
    return base.args[0] if isinstance(base, Abs) else base


def _written_out(factor: sp.Expr, bounds: Bounds) -> sp.Expr:
    """A factor, or its base, by its formula; where that is another entry, by that one's."""
    base, exponent = factor.as_base_exp()
    while isinstance(base, Entry) and (formula := bounds.formula_of(base)) != base:
        base = formula
    return base**exponent


def _has_pole_of(argument: sp.Expr, base: sp.Expr) -> bool:
    powers = argument.atoms(sp.Pow)
    return any(_same_zeros(power.base) == base and power.exp.is_negative for power in powers)
