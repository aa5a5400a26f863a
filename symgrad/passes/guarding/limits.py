"""Slopes where 0 times infinity is a fraction in a form with a pole: of atan(y/x) and 1/(1 + 1/x) at x = 0.

There 1/x² is infinite and 1/(1 + y²/x²) is 0, and their product is 1/(x² + y²): the same, without the pole.
It is computed so at the pole only, as squares leave the range of numbers before their quotient does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.real import Abs, with_names
from symgrad.calculus.terms import Entry, entries, is_large

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from symgrad.calculus.bounds import Bounds


def limit(factors: Collection[sp.Expr], bounds: Bounds) -> tuple[sp.Expr, list[sp.Expr]]:
    """The product as one fraction, and what it is taken at the zeros of: what only its sums divide by.

    A product that is large, as those of poles upon poles become, is left as it is.
    """
    written = bounds.taken(_written_out(sp.Mul(*factors), bounds))
    if not any(_sums_below(written)):
        return written, []
    product, meaning = with_names(_over_squares(written))
    poles = [base for base in _poles_in_sums(product) if not bounds.nonzero(base.xreplace(meaning))]
    if not poles or is_large(product):
        return written, []
    fraction = sp.together(product)
    left = {*divisors(fraction)}
    gone = [base.xreplace(meaning) for base in poles if left.isdisjoint(_zeros_of(base))]
    return fraction.xreplace(meaning), [] if is_large(fraction) else gone


def _over_squares(expr: sp.Expr) -> sp.Expr:
    """The sums, products and powers with |v|/v² for 1/|v|, as SymPy makes v² of |v|²."""
    if expr.is_Pow and isinstance(expr.base, Abs) and expr.exp == -1:
        return expr.base * expr.base.args[0] ** -2
    if expr.is_Pow:
        return _over_squares(expr.base) ** expr.exp
    return expr.func(*map(_over_squares, expr.args)) if expr.is_Add or expr.is_Mul else expr


def _written_out(product: sp.Expr, bounds: Bounds) -> sp.Expr:
    """The product with its factors, and what its sums are made of, by formulas as far as these divide; or a
    large one.
    """
    while not is_large(product):
        factors = [factor.as_base_exp() for factor in sp.Mul.make_args(product)]
        inside = {base: entries(base) for base, _ in factors if base.is_Add or isinstance(base, Entry)}
        found = {entry for read in inside.values() for entry in read if _is_made_by_division(entry, bounds)}
        if not found:
            break
        known = {entry: bounds.formula_of(entry) for entry in found}
        written = (base.xreplace(known) if base in inside else base for base, _ in factors)
        product = sp.Mul(*(base**exponent for base, (_, exponent) in zip(written, factors, strict=True)))
    return product


def _is_made_by_division(entry: Entry, bounds: Bounds) -> bool:
    """Whether something divides in the formula of an entry, or in those of what it is made of."""
    waiting, seen = [entry], {entry}
    while waiting:
        formula = bounds.formula_of(waiting.pop())
        if any(_divides(power.exp) for power in formula.atoms(sp.Pow)):
            return True
        further = {*entries(formula)} - seen
        seen |= further
        waiting += further
    return False


def _poles_in_sums(product: sp.Expr) -> list[sp.Expr]:
    """What sums below the line divide by."""
    return list(dict.fromkeys(base for total in _sums_below(product) for base in divisors(total)))


def _sums_below(product: sp.Expr) -> Iterator[sp.Expr]:
    """The sums that a product divides by."""
    factors = (factor.as_base_exp() for factor in sp.Mul.make_args(product))
    return (base for base, exponent in factors if base.is_Add and _divides(exponent))


def divisors(expr: sp.Expr) -> Iterator[sp.Expr]:
    """What something divides by in sums, products and powers, from the outside in."""
    if expr.is_Pow:
        if expr.exp.is_negative:
            yield expr.base
        yield from divisors(expr.base)
    elif expr.is_Add or expr.is_Mul:
        for part in expr.args:
            yield from divisors(part)


def _zeros_of(base: sp.Expr) -> list[sp.Expr]:
    """What is 0 where a base is: the numerator of a sum of quotients."""
    return [base, *sp.Mul.make_args(sp.fraction(sp.together(base))[0])]


def _divides(exponent: sp.Expr) -> bool:
    return bool(exponent.is_Integer and exponent.is_negative)
