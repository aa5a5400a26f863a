"""Numbers that the constants of a spec come to, where no number of its type can stand for them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import Entry, delta
from symgrad.errors import SpecError
from symgrad.spec.language.number_types import LARGEST, SMALLEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.calculus.program import Program
    from symgrad.spec.model import Model


_DIGITS = 30
_FARTHEST = 4000
"""The binary exponent beyond which a number is taken for this power of 2."""


def check_magnitudes(model: Model, program: Program) -> None:
    """Refuse numbers that would be 0 or infinite in the module; those written in a formula were read before.

    Raises:
        SpecError: for the first of them, at the equation that it stands in, or that it is the gradient of.
    """
    dtype = model.spec.dtype
    smallest, largest = Fraction(SMALLEST[dtype]), Fraction(LARGEST[dtype])
    places = {equation.name: equation.at for equation in model.equations}
    for equation in program.equations:
        for number in _numbers(equation.body):
            if number.has(sp.zoo, sp.nan):
                problem = "a part of this is divided by 0 whatever the data, as acos(x / x) is 0"
                at = places.get(equation.target, model.spec.at)
                raise SpecError(problem, at=at, remedy="write other numbers, or another formula")
            size = abs(_fraction(number))
            if size == 0 or smallest <= size <= largest:
                continue
            fault = "is too large for" if size > largest else "cannot be told from 0 in"
            raise SpecError(
                f"constants here come to {_shown(number, size)}, which {fault} {dtype}",
                at=places.get(equation.target, model.spec.at),
                remedy="write dtype: float64, or other numbers"
                if dtype == "float32"
                else "write other numbers",
            )


def _numbers(expr: sp.Basic) -> Iterator[sp.Expr]:
    """The numbers that a module is given: those of a product are one, and so is a root of a number."""
    if isinstance(expr, sp.Expr) and expr.is_number:
        yield expr
    elif isinstance(expr, Entry | delta):
        return
    elif isinstance(expr, sp.Mul):
        yield sp.Mul(*(f for f in expr.args if f.is_number))
        for factor in expr.args:
            if not factor.is_number:
                yield from _numbers(factor)
    else:
        for part in expr.args:
            yield from _numbers(part)


def _shown(number: sp.Expr, size: Fraction) -> str:
    if max(size, 1 / size) >= Fraction(2) ** _FARTHEST:
        return str(number.evalf(3))
    return f"{Decimal(size.numerator) / Decimal(size.denominator) * (-1 if number.is_negative else 1):.3g}"


def _fraction(number: sp.Expr) -> Fraction:
    """A number, or one within a part in 10**30 of it; beyond all number types one as far beyond them."""
    if number.is_Rational:
        return Fraction(int(number.p), int(number.q))
    found = number.evalf(_DIGITS)
    _, mantissa, exponent, bits = found._mpf_
    if mantissa and abs(exponent + bits) > _FARTHEST:  # exp(-1e18) as a fraction fills the memory
        return Fraction(2) ** (_FARTHEST if exponent > 0 else -_FARTHEST)
    rational = sp.Rational(found)
    return Fraction(int(rational.p), int(rational.q))
