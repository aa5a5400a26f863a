"""How formulas grow far out: by which power of each of their entries; and whether they fall to 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.calculus.real import Abs
from symgrad.calculus.terms import Entry, delta, float_entries
from symgrad.spec.scalars import INNER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from symgrad.calculus.bounds import Bounds

Powers: TypeAlias = "dict[Entry, sp.Expr]"
"""By entry a power of it that bounds a formula far out, where it is not 0; infinite where no power does."""

_FASTER = {"exp", "expm1", "sinh", "cosh", "tan"}
_AS_THEIR_ARGUMENT = {"Abs", "softplus", "logcosh"}
"""What grows faster than any power, and with its argument; other functions are bounded, or logarithms."""


class Growth:
    """Answers by the formulas of entries, where they are formulas of their own indices."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._known: dict[sp.Expr, Powers] = {}

    def of(self, expr: sp.Expr) -> Powers:
        """The powers that bound an expression."""
        if expr not in self._known:
            self._known[expr] = {}  # while it is looked into
            self._known[expr] = self._powers(expr)
        return self._known[expr]

    def _powers(self, expr: sp.Expr) -> Powers:
        if isinstance(expr, Entry):
            formula = self.bounds.formula_of(expr)
            return {expr: sp.Integer(1)} if formula == expr else self.of(formula)
        if isinstance(expr, delta) or expr.is_number or not expr.args:
            return {}
        if isinstance(expr, sp.exp):
            return _scaled(self.of(expr.args[0]), sp.oo)
        if expr.is_Mul or _has_fixed_power(expr):
            return self._powers_of_product(expr)
        if expr.is_Pow:
            return _scaled(self.of(expr.base), sp.oo)
        if isinstance(expr, sp.Piecewise):
            return _largest(self.of(value) for value, _ in expr.args)
        parts = [self.of(part) for part in expr.args]
        name = type(expr).__name__
        if name in INNER and name not in _AS_THEIR_ARGUMENT:
            return _scaled(parts[0], sp.oo) if name in _FASTER else {}
        return _largest(parts)

    def _powers_of_product(self, expr: sp.Expr) -> Powers:
        """Less those of what it divides by, where they are known to be no less.

        Of one exponential over another it is not known which is greater.
        """
        total: Powers = {}
        for factor in sp.Mul.make_args(expr):
            base, exponent = factor.args if _has_fixed_power(factor) else (factor, sp.Integer(1))
            if exponent.is_positive or self._is_steady(base):
                for entry, power in self.of(base).items():
                    both = total.get(entry, 0), exponent * power
                    total[entry] = sp.oo if sp.oo in both else sum(both)
        return {entry: power for entry, power in total.items() if power > 0}

    def _is_steady(self, expr: sp.Expr) -> bool:
        """Whether it grows with each entry by its power: no terms of a sum cancel, and nothing is bounded."""
        expr = self.bounds.formula_of(expr)
        if isinstance(expr, Entry) or expr.is_number:
            return True
        if expr.is_Add and not all(map(self.bounds.nonnegative, expr.args)):
            grown = [entry for term in expr.args for entry in self.made_of(term)]
            if len(grown) > len({*grown}):
                return False
        is_power = _has_fixed_power(expr) and expr.exp.is_positive
        is_kind = expr.is_Add or expr.is_Mul or isinstance(expr, Abs) or is_power
        return is_kind and all(map(self._is_steady, expr.args))

    def made_of(self, expr: sp.Expr) -> frozenset[Entry]:
        """The entries that an expression is made of, by the formulas of those in it."""
        parts = ((entry, self.bounds.formula_of(entry)) for entry in float_entries(expr))
        return frozenset().union(*({e} if formula == e else self.made_of(formula) for e, formula in parts))

    def falls(self, expr: sp.Expr) -> bool:
        """Whether it comes near 0 far out, as exp(x) and tanh(sigmoid(x)) do, or is 0 in a branch."""
        expr = self.bounds.formula_of(expr)
        if expr.is_Pow and not isinstance(expr, sp.exp):
            return bool(expr.exp.is_positive) and self.falls(expr.base)
        if expr.is_Mul or expr.is_Add:
            return (any if expr.is_Mul else all)(map(self.falls, expr.args))
        if isinstance(expr, sp.Piecewise):
            return any(value == 0 or self.falls(value) for value, _ in expr.args)
        row = INNER.get(type(expr).__name__)
        if row is None:
            return False
        nears_0 = row.values.least == 0 and row.values.open_least
        return nears_0 or (row.keeps_sign and self.falls(expr.args[0]))


def _has_fixed_power(expr: sp.Expr) -> bool:
    return bool(expr.is_Pow and expr.exp.is_number)


def _scaled(powers: Powers, factor: sp.Expr) -> Powers:
    return {entry: power * factor for entry, power in powers.items()}


def _largest(found: Iterable[Powers]) -> Powers:
    largest: Powers = {}
    for powers in found:
        for entry, power in powers.items():
            largest[entry] = max(power, largest.get(entry, power))
    return largest
