"""Ball arithmetic for the interpreter and its tape: numbers with a proved error (Arb; Johansson 2017).

A comparison that the balls leave open is none: it raises, as the point lies at a kink or too near one.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import flint
import numpy as np

from symgrad.spec.scalars import SCALARS
from symgrad.verifier.identity.exact_tape import ExactTape
from symgrad.verifier.identity.field import elementwise
from symgrad.verifier.interpretation.arithmetic import Arithmetic, with_formulas
from symgrad.verifier.interpretation.array_library import NUMPY, Array

if TYPE_CHECKING:
    from collections.abc import Callable

BITS = 160


class UndecidedError(Exception):
    """Two balls that overlap were compared."""


class Ball:
    """A real number, known to lie within an error of a midpoint."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __add__(self, other: Any) -> Ball:
        return Ball(self.value + _value(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Ball:
        return Ball(self.value - _value(other))

    def __rsub__(self, other: Any) -> Ball:
        return Ball(_value(other) - self.value)

    def __mul__(self, other: Any) -> Ball:
        return Ball(self.value * _value(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Ball:
        return Ball(self.value / _value(other))

    def __pow__(self, exponent: Any) -> Ball:
        return _power(self, _ball(exponent))

    def __neg__(self) -> Ball:
        return Ball(-self.value)

    def __eq__(self, other: object) -> bool:
        return other is self or self._side(other) == 0

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = object.__hash__

    def __lt__(self, other: Any) -> bool:
        return self._side(other) < 0

    def __gt__(self, other: Any) -> bool:
        return self._side(other) > 0

    def __le__(self, other: Any) -> bool:
        return other is self or self._side(other) <= 0

    def __ge__(self, other: Any) -> bool:
        return other is self or self._side(other) >= 0

    def _side(self, other: Any) -> int:
        difference = self.value - _value(other)
        if difference > 0:
            return 1
        if difference < 0:
            return -1
        if difference.is_zero():
            return 0
        raise UndecidedError


def _value(number: Any) -> Any:
    return number.value if isinstance(number, Ball) else _ball(number).value


def _ball(number: Any) -> Ball:
    if isinstance(number, Ball):
        return number
    exact = Fraction(number) if isinstance(number, Fraction) else Fraction(float(number))
    return Ball(flint.arb(flint.fmpq(exact.numerator, exact.denominator)))


def _power(base: Ball, exponent: Ball) -> Ball:
    """Whole powers as products: Arb's own are not finite where a ball holds 0."""
    twice = exponent.value * 2
    if not twice.is_exact() or not twice.is_integer():
        return Ball((exponent.value * base.value.log()).exp())
    count = int(twice.unique_fmpz())
    result = Ball(flint.arb(1))
    for _ in range(abs(count) // 2):
        result = result * base
    if count % 2:
        result = result * Ball(base.value.sqrt())
    return result if count >= 0 else _ball(1) / result


def _function(name: str) -> Callable[[Ball], Ball]:
    return lambda ball: Ball(getattr(ball.value, name)())


def _sign(ball: Ball) -> Ball:
    return _ball(ball._side(0))


def _absolute(ball: Ball) -> Ball:
    return ball * _sign(ball)


def _matmul(a: Array, b: Array) -> Array:
    """A product of two matrices at once; NumPy's of anything else."""
    if a.ndim != 2 or b.ndim != 2 or not a.size or not b.size:
        return np.asarray(np.matmul(a, b), dtype=object)
    left, right = (flint.arb_mat([[ball.value for ball in row] for row in m.tolist()]) for m in (a, b))
    product = left * right
    found = np.empty((a.shape[0], b.shape[1]), dtype=object)
    found.reshape(-1)[:] = [Ball(value) for value in product.entries()]
    return found


BALLS = Arithmetic(
    name="balls",
    epsilon=0.0,
    dtype=np.dtype(object),
    convert=elementwise(_ball),
    number=_ball,
    divide=elementwise(lambda a, b: a / b, 2),
    power=elementwise(_power, 2),
    functions=with_formulas(
        {
            **{name: elementwise(_function(name)) for name, row in SCALARS.items() if row.of(flint.arb)},
            "abs": elementwise(_absolute),
            "sign": elementwise(_sign),
        },
        _ball,
    ),
    steps=(),
    extrapolate=False,
    library=replace(NUMPY, matmul=_matmul),
    infinity=Ball(flint.arb.pos_inf()),
)


class BallTape(ExactTape):
    """A tape of balls: only what is exactly 0 has no share in a slope."""

    def _times(self, cotangent: Array, slope: Array) -> Array:
        return _shares(*np.broadcast_arrays(cotangent, slope))


_shares = elementwise(lambda share, slope: share if share.value.is_zero() else share * slope, 2)
