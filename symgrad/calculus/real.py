"""Absolute values, signs and choices of real numbers.

SymPy's own ask whether what stands in them is real. It cannot know of √x or log x, which are real wherever a
program computes them, and answers with square roots of conjugates, or does not answer. These never ask.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import sympy as sp

from symgrad.calculus.terms import Entry, Named, delta, with_args

if TYPE_CHECKING:
    from collections.abc import Callable


class Piecewise(sp.Piecewise):
    """A choice whose conditions are brought to SymPy's canonical form once: that of it may be another one."""

    @classmethod
    def eval(cls, *cases: Any) -> sp.Expr | None:
        if any(condition.has(sp.ITE) for _, condition in cases):
            return cls(*((value, condition.replace(sp.ITE, _either)) for value, condition in cases))
        evaluate = vars(sp.Piecewise)["eval"].__func__
        found: sp.Expr | None = evaluate(partial(cls._as_it_is, cls), *cases)
        return found

    def _eval_power(self, exponent: sp.Expr) -> sp.Expr | None:
        """Branch by branch, unless one of them would divide by 0 or be the root of a negative number."""
        values = [value for value, _ in self.args]
        if exponent.is_negative and any(v.is_zero for v in values):
            return None
        if not exponent.is_integer and any(v.is_number and v.is_negative for v in values):
            return None
        found: sp.Expr | None = super()._eval_power(exponent)
        return found

    @staticmethod
    def _as_it_is(cls: type[Piecewise], *cases: Any) -> sp.Expr:
        return cls(*((_with_else(value), condition) for value, condition in cases), evaluate=False)


class Abs(Named):
    """|x|"""

    @classmethod
    def formula(cls, value: sp.Expr) -> sp.Expr:
        """As a choice."""
        return Piecewise((value, value > 0), (-value, value < 0), (0, True))

    @classmethod
    def eval(cls, v: sp.Expr) -> sp.Expr | None:
        if v.is_number:
            return sp.Abs(v)
        if v.is_nonpositive:
            return -v
        if v.is_Pow and v.exp.is_Rational:
            return v if v.is_nonnegative or not _is_odd(v.exp) else cls(v.base) ** v.exp
        if v.is_Mul:
            return cls._of_product(v)
        return v if v.is_nonnegative else None

    @classmethod
    def _of_product(cls, v: sp.Expr) -> sp.Expr | None:
        """The factors whose size is known, or is the power of one, before the size of the others."""
        unknown = [f for f in v.args if isinstance(cls(_below(f)), cls)]
        known = [cls(f) for f in v.args if f not in unknown]
        if not known:
            return None
        return sp.Mul(*known, cls(sp.Mul(*unknown)))

    def _eval_power(self, exponent: sp.Expr) -> sp.Expr | None:
        (v,) = self.args
        if exponent.is_even:
            return v**exponent
        return v ** (exponent - 1) * self if exponent.is_Integer and exponent != -1 else None


class sign(Named):
    """1 above 0, -1 below, 0 at 0."""

    @classmethod
    def formula(cls, value: sp.Expr) -> sp.Expr:
        """As a choice."""
        return Piecewise((1, value > 0), (-1, value < 0), (0, True))

    @classmethod
    def eval(cls, v: sp.Expr) -> sp.Expr | None:
        if v.is_number or v.is_zero or v.is_positive or v.is_negative:
            return sp.sign(v)
        if isinstance(v, cls):
            return v
        known = [cls(f) for f in v.args if f.is_positive or f.is_negative] if v.is_Mul else []
        unknown = [f for f in v.args if not (f.is_positive or f.is_negative)]
        return sp.Mul(*known, cls(sp.Mul(*unknown))) if known else None


class within(sp.Function):
    """within(v, u) is v where u ≥ 0, and no number elsewhere: what is left of √u·√u or exp(log u)."""

    nargs = 2
    is_real = True

    def _eval_derivative(self, variable: sp.Expr) -> sp.Expr:
        value, end = self.args
        derivative = sp.diff(value, variable)
        return within(derivative, end) if derivative != 0 else derivative


def in_real_terms(expr: sp.Expr) -> sp.Expr:
    """The expression without SymPy's own absolute values, which it makes of √(x²)."""
    return expr.replace(sp.Abs, Abs) if expr.has(sp.Abs) else expr


def with_parts(expr: sp.Expr, change: Callable[[sp.Expr], sp.Expr]) -> sp.Expr:
    """The expression with its parts changed; the conditions of a choice stay as they are."""
    if isinstance(expr, sp.Piecewise):
        return Piecewise(*((change(value), condition) for value, condition in expr.args))
    return with_args(expr, [change(part) for part in expr.args])


def with_names(expr: sp.Expr) -> tuple[sp.Expr, dict[sp.Expr, sp.Expr]]:
    """The expression with names for calls of functions and choices, and what they stand for.

    SymPy makes a choice of powers of the power of a choice: with names they are powers of one name again.
    """
    meaning: dict[sp.Expr, sp.Expr] = {}
    named: dict[sp.Expr, sp.Expr] = {}
    calls = (call for call in expr.atoms(sp.Function) if not isinstance(call, Entry | delta))
    for call in sorted(calls, key=_size):
        powers = (
            name**n for name, base in meaning.items() for n in (1, -1, 2, -2, 3, -3, 4, -4) if call == base**n
        )
        known = next(powers, None) if isinstance(call, sp.Piecewise) else None
        if known is None:
            base = min(call, 1 / call, key=_size)
            name = sp.Dummy(real=True)
            meaning[name] = base
            known = name if base == call else 1 / name
        named[call] = known
    return expr.xreplace(named), meaning


def _size(expr: sp.Expr) -> tuple[int, str]:
    return expr.count_ops(), str(expr)


def _with_else(value: sp.Expr) -> sp.Expr:
    """A choice within a choice, of which SymPy leaves out what comes after a condition that holds there."""
    if not isinstance(value, sp.Piecewise) or value.args[-1].cond == sp.true:
        return value
    *cases, last = value.args
    return Piecewise(*cases, (last.expr, True))


def _either(condition: sp.Basic, holds: sp.Basic, other: sp.Basic) -> sp.Basic:
    """A choice between conditions, which SymPy makes of a comparison with a choice, in `and` and `or`."""
    return sp.Or(sp.And(condition, holds), sp.And(sp.Not(condition), other))


def _is_odd(exponent: sp.Expr) -> bool:
    return bool(exponent.is_Integer) and int(exponent) % 2 == 1


def _below(factor: sp.Expr) -> sp.Expr:
    """What stands below the line of 1/x or 1/x³; the size of that is one of the unknown."""
    return factor.base if factor.is_Pow and factor.exp.is_Integer and factor.exp.is_negative else factor
