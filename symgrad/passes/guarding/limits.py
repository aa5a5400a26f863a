"""Slopes where 0 times infinity is a fraction in a form with a pole: of atan(y/x) and 1/(1 + 1/x) at x = 0.

There 1/x² is infinite and 1/(1 + y²/x²) is 0, and their product is 1/(x² + y²): the same, without the pole.
It is computed so at the pole only, as squares leave the range of numbers before their quotient does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import entries, is_large

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.calculus.bounds import Bounds


def limit(factors: Collection[sp.Expr], bounds: Bounds) -> tuple[sp.Expr, sp.Basic]:
    """The product with its sums multiplied by what they divide by, where nothing divides by that then.

    It is to be taken where the condition holds: where some of that is 0. Poles upon poles are left as they
    are, as the product would grow with each.
    """
    product, zeros = _written_out(sp.Mul(*factors), bounds), []
    tried: set[sp.Expr] = set()
    while bases := [base for base in _poles_in_sums(product, bounds) if base not in tried]:
        if is_large(product):
            return product, sp.false
        base = max(bases, key=sp.count_ops)  # 1 + 1/x before x
        tried.add(base)
        order, rest = sp.Integer(0), []
        for factor in sp.Mul.make_args(product):
            inner, exponent = factor.as_base_exp()
            if inner == base:
                order += exponent
            elif inner.is_Add and exponent.is_Integer:
                depth = _order_of(inner, base)
                order -= depth * exponent
                rest.append(sp.Add(*(term * base**depth for term in inner.args)) ** exponent)
            else:
                rest.append(factor)
        if order.is_nonnegative:
            product = sp.Mul(*rest, base**order)
            zeros.append(sp.Eq(base, 0))
    return product, sp.Or(*zeros)


def _written_out(product: sp.Expr, bounds: Bounds) -> sp.Expr:
    """The product with its factors by their formulas, and what these sums are made of by theirs."""
    factors = []
    for factor in sp.Mul.make_args(product):
        base, exponent = factor.as_base_exp()
        for part in sp.Mul.make_args(bounds.formula_of(base) ** exponent):
            inner, power = part.as_base_exp()
            known = {e: bounds.formula_of(e) for e in entries(inner)} if inner.is_Add else {}
            factors.append(inner.xreplace(known) ** power)
    return sp.Mul(*factors)


def _poles_in_sums(product: sp.Expr, bounds: Bounds) -> list[sp.Expr]:
    """What sums below the line divide by, and may be 0."""
    found: dict[sp.Expr, None] = {}
    for factor in sp.Mul.make_args(product):
        inner, exponent = factor.as_base_exp()
        if inner.is_Add and exponent.is_Integer and exponent.is_negative:
            parts = (part for term in inner.args for part in sp.Mul.make_args(term))
            powers = (part.as_base_exp() for part in parts)
            found |= dict.fromkeys(b for b, p in powers if _divides(p) and not bounds.nonzero(b))
    return list(found)


def _order_of(total: sp.Expr, base: sp.Expr) -> sp.Expr:
    """The highest power of the base that terms of a sum divide by."""
    powers = (part.as_base_exp() for term in total.args for part in sp.Mul.make_args(term))
    return max((-p for b, p in powers if b == base and _divides(p)), default=sp.Integer(0))


def _divides(exponent: sp.Expr) -> bool:
    return bool(exponent.is_Integer and exponent.is_negative)
