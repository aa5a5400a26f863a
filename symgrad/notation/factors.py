"""How a product is laid out: what stands above and below the line, and which number before it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from symgrad.calculus.terms import entries
from symgrad.notation.typesetting.typeset import decimal

MAX_UNDER_SIZE = 4096


@dataclass(frozen=True)
class Factors:
    """`above · (above_first / first_below) / below`, or its negative.

    The inner quotient is there where a tensor is divided by a number of the step and then by a tensor,
    as Adam's `(m/(1 − β₁ᵗ)) / (√v + ε)` is.
    """

    is_negative: bool
    above: tuple[sp.Expr, ...]
    below: tuple[sp.Expr, ...]
    above_first: tuple[sp.Expr, ...] = ()
    first_below: tuple[sp.Expr, ...] = ()


def factors_of(expr: sp.Expr) -> Factors:
    """The layout of a product or of a power with a negative exponent."""
    coefficient, rest = expr.as_coeff_Mul()
    above, below = [], []
    for factor in sp.Mul.make_args(rest):
        if _divides(factor):
            below.append(factor.base**-factor.exp)
            continue
        common, primitive = content(factor)
        coefficient *= common
        above.append(primitive)
    coefficient, above = _opened(coefficient, above)
    negative = bool(coefficient.is_negative)
    number, above, roots = _roots_below(abs(coefficient), above)
    if number.is_Rational:
        number, divisor = _split(Fraction(int(number.p), int(number.q)), _has_size(below))
    else:
        divisor = sp.Integer(1)
    above = [f for f in (number, *above) if f != 1]
    below = [f for f in (divisor, *_merged(roots, below)) if f != 1]
    return _nested(Factors(negative, tuple(above), tuple(below)))


def content(expr: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """(2, a - b) for 2a - 2b: a number before the bracket only where it leaves none inside."""
    if not expr.is_Add:
        return sp.Integer(1), expr
    numbers = {abs(term.as_coeff_Mul()[0]) for term in expr.args}
    common = numbers.pop() if len(numbers) == 1 else sp.Integer(1)
    if common == 1 or not common.is_Rational:
        return sp.Integer(1), expr
    return common, sp.Add(*(term / common for term in expr.args))


def _opened(number: sp.Expr, factors: list[sp.Expr]) -> tuple[sp.Expr, list[sp.Expr]]:
    """a/2 + b/10 for (5a + b)/10: a fraction goes into a bracket that holds numbers already."""
    brackets = [f for f in factors if f.is_Add and any(abs(t.as_coeff_Mul()[0]) != 1 for t in f.args)]
    if len(brackets) != 1 or not number.is_Rational or number.is_Integer:
        return number, factors
    opened = sp.Add(*(number * term for term in brackets[0].args))
    return sp.Integer(1), [opened if f is brackets[0] else f for f in factors]


def _divides(factor: sp.Expr) -> bool:
    is_power = factor.is_Pow and not isinstance(factor, sp.exp)
    return bool(is_power and factor.exp.is_number and factor.exp.is_negative)


def _roots_below(number: sp.Expr, above: list[sp.Expr]) -> tuple[sp.Expr, list[sp.Expr], list[sp.Expr]]:
    """√3/3 is 1/√3."""
    kept, roots = [], []
    for factor in above:
        is_root = factor.is_Pow and factor.base.is_Integer and factor.exp == sp.Rational(1, 2)
        if is_root and number.is_Rational and number.q % factor.base == 0:
            number *= factor.base
            roots.append(factor)
        else:
            kept.append(factor)
    return number, kept, roots


def _merged(roots: list[sp.Expr], below: list[sp.Expr]) -> list[sp.Expr]:
    """√2·√π as √(2·π)."""
    constant = [f for f in below if f.is_number and f.is_Pow and f.exp == sp.Rational(1, 2)]
    inner = sp.Mul(*(f.base for f in (*roots, *constant)))
    others = [f for f in below if f not in constant]
    return [sp.sqrt(inner, evaluate=False), *others] if inner != 1 else others


def _has_size(below: list[sp.Expr]) -> bool:
    return any(f.is_Symbol for f in below)


def _split(number: Fraction, under_size: bool) -> tuple[sp.Expr, sp.Expr]:
    """The number above and the number below: 2/3 is split, 0.003 is not unless it divides by a size."""
    keeps = under_size and number.denominator <= MAX_UNDER_SIZE
    if decimal(number) is not None and not keeps:
        return sp.Rational(number.numerator, number.denominator), sp.Integer(1)
    return sp.Integer(number.numerator), sp.Integer(number.denominator)


def _nested(parts: Factors) -> Factors:
    of_step = tuple(f for f in parts.below if entries(f) and not _is_tensor(f))
    of_tensor = tuple(f for f in parts.below if _is_tensor(f))
    tensors = tuple(f for f in parts.above if _is_tensor(f))
    if not (of_step and of_tensor and tensors):
        return parts
    others = tuple(f for f in parts.above if f not in tensors)
    below = tuple(f for f in parts.below if f not in of_step)
    return Factors(parts.is_negative, others, below, tensors, of_step)


def _is_tensor(expr: sp.Expr) -> bool:
    return any(e.indices for e in entries(expr))
