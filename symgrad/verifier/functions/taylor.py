"""Certified errors of approximations: Taylor models in the balls of Arb, over the pieces of an interval."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import flint

from symgrad.verifier.functions.approximation import Approximation, horner

if TYPE_CHECKING:
    from collections.abc import Sequence

_ORDER, _BITS = 16, 400


class _Series:
    """The functions of an approximation, on series of balls."""

    @staticmethod
    def exp(x: Any) -> Any:
        return x.exp()

    @staticmethod
    def log(x: Any) -> Any:
        return x.log()

    @staticmethod
    def erf(x: Any) -> Any:
        return x.erf()

    @staticmethod
    def erfc(x: Any) -> Any:
        return x.erfc()


def certified(which: Approximation, coefficients: Sequence[float], dtype: str) -> float:
    """An upper bound of the error relative to the exact value, for every x of the interval."""
    bits, cap = flint.ctx.prec, flint.ctx.cap
    flint.ctx.prec, flint.ctx.cap = _BITS, _ORDER + which.zeros + 2
    try:
        balls = [_exactly(c) for c in coefficients]
        ends = _ends(which, dtype)
        pieces = (((b + a) / 2, (b - a) / 2) for a, b in pairwise(map(_exactly, ends)))
        return max(_of_piece(which, balls, *piece) for piece in pieces)
    finally:
        flint.ctx.prec, flint.ctx.cap = bits, cap


def _ends(which: Approximation, dtype: str) -> list[float | str]:
    """Where the pieces meet: any numbers will do as long as the first and the last are exact."""
    low, high, power = float(which.low), float(which.high[dtype]), which.evenly
    step = (high**power - low**power) / which.pieces
    inner = [(low**power + k * step) ** (1 / power) for k in range(1, which.pieces)]
    return [which.low, *inner, which.high[dtype]]


def _exactly(number: float | str) -> Any:
    value = Fraction(number)
    return flint.arb(flint.fmpq(value.numerator, value.denominator))


def _of_piece(which: Approximation, coefficients: Sequence[Any], middle: Any, radius: Any) -> float:
    """The bound over middle ± radius; where 0 is near, around 0, with the common zeros taken out."""
    zeros = which.zeros if (middle - 2 * radius) <= 0 else 0
    if zeros:
        middle, radius = flint.arb(0), middle + radius
    count = _ORDER + zeros
    whole = middle + flint.arb(0, radius.upper()) if zeros == 0 else flint.arb(0, radius.upper())
    difference = _model(which, coefficients, middle, whole, count, lambda made, exact: made - exact)
    value = _model(which, coefficients, middle, whole, count, lambda _, exact: exact)
    step = whole - middle
    above = _range(difference[zeros:], step)
    below = _range(value[zeros:], step)
    bound = abs(above) / abs(below)
    result = float(bound.upper())
    if result != result:
        raise ArithmeticError("the balls are too wide for a bound")
    return result


def _model(
    which: Approximation, coefficients: Sequence[Any], middle: Any, whole: Any, count: int, of: Any
) -> list[Any]:
    """Taylor coefficients at the middle; the last one, over the whole piece, encloses the remainder."""

    def series(centre: Any) -> Any:
        x = flint.arb_series([centre, 1], count + 1)
        return of(which.made(x, horner(coefficients, which.inner(x))), which.exact(_Series, x))

    here, everywhere = series(middle), series(whole)
    return [*(here[k] for k in range(count)), everywhere[count]]


def _range(coefficients: Sequence[Any], step: Any) -> Any:
    total = flint.arb(0)
    for coefficient in reversed(coefficients):
        total = total * step + coefficient
    return total
