"""Which exact number a float in a text stands for: a fraction, or one with a root, with pi, of the spec's.

A text holds the nearest double of every constant. One of few digits is the decimal that it shows. The digits
of any other are compared with simple fractions times roots of small whole numbers, powers of the root of pi,
and the long constants of the spec itself.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields, is_dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import mpmath

from symgrad.spec.language.syntax import Number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.arithmetic import Arithmetic

_SHOWN, _SURE = 15, 12
_LARGEST_DENOMINATOR = 10**6
_LARGEST_NUMERATOR = 10**7
_CLOSE = Fraction(1, 2**51)
_RADICANDS = tuple(n for n in range(1, 64) if all(n % (k * k) for k in range(2, 8)))
_mp = mpmath.mp.clone()
_mp.dps = 40


@dataclass(frozen=True)
class Constant:
    """rational · √radicand · √pi ** roots_of_pi · long."""

    rational: Fraction
    radicand: int = 1
    roots_of_pi: int = 0
    long: Fraction = Fraction(1)

    def value(self, arithmetic: Arithmetic) -> Any:
        """The number in an arithmetic."""
        number = arithmetic.number
        result = number(self.rational * self.long)
        if self.radicand != 1:
            result = result * _apply(arithmetic, "sqrt", number(Fraction(self.radicand)))
        if self.roots_of_pi:
            pi = _apply(arithmetic, "acos", number(Fraction(-1)))
            root = _apply(arithmetic, "sqrt", pi)
            for _ in range(abs(self.roots_of_pi)):
                result = result * root if self.roots_of_pi > 0 else result / root
        return result


def _apply(arithmetic: Arithmetic, function: str, number: Any) -> Any:
    return arithmetic.functions[function](arithmetic.array(number)).item()


@lru_cache(maxsize=4096)
def constant_of(number: float, long: tuple[Fraction, ...] = ()) -> Constant | None:
    """The number that a float stands for; None where its digits are none that are known here."""
    shown = Fraction(repr(number))
    if is_short(number):
        return Constant(shown)
    for factor in (Fraction(1), *long):
        rational = _simple(Fraction(number) / factor)
        if rational is not None:
            return Constant(rational, long=factor)
    for roots, radicand in itertools.product((0, 1, -1, 2, -2), _RADICANDS):
        factor = Fraction(str(_mp.sqrt(radicand) * _mp.sqrt(_mp.pi) ** roots))
        rational = _simple(Fraction(number) / factor)
        if rational is not None:
            return Constant(rational, radicand, roots)
    return None


def is_short(number: float) -> bool:
    """Whether a float shows so few digits that it is the decimal it shows."""
    return _digits(number) <= _SHOWN


def is_doubtful(number: float) -> bool:
    """Whether a float shows so many digits that it may be a rounded one that ends there by chance."""
    return _SURE < _digits(number) <= _SHOWN


def _digits(number: float) -> int:
    return len(repr(abs(number)).split("e")[0].replace(".", "").strip("0"))


def _simple(ratio: Fraction) -> Fraction | None:
    """The simple fraction that is as close as digits tell."""
    near = ratio.limit_denominator(_LARGEST_DENOMINATOR)
    if near == 0 or abs(near - ratio) > _CLOSE * abs(ratio) or abs(near.numerator) > _LARGEST_NUMERATOR:
        return None
    return near


def long_constants(model: Model) -> tuple[Fraction, ...]:
    """The numbers of a spec that have more digits than a float shows, and products of two of them."""
    written = sorted({q for q in _numbers(model) if _is_long(q)})
    pairs = [a * b for a, b in itertools.combinations_with_replacement(written, 2)]
    return (*written, *pairs)


def _is_long(number: Fraction) -> bool:
    return bool(max(abs(number.numerator), number.denominator) > 10**_SHOWN)


def _numbers(part: object) -> Iterator[Fraction]:
    if isinstance(part, Number):
        yield part.value
    elif isinstance(part, tuple):
        for item in part:
            yield from _numbers(item)
    elif is_dataclass(part) and not isinstance(part, type):
        for field in fields(part):
            yield from _numbers(getattr(part, field.name))
