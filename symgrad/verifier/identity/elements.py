"""Elements of a tower of finite fields: numbers whose sums, products and quotients are exact and cost little.

An element is one residue modulo the product of three primes, and so one residue modulo each of them. Each
prime divides the one above it less 1, so that exp can be a homomorphism from the sums of one field into the
products of the one above (Mirage, OSDI 2025). The lower residues serve the exponents of exponents.

A positive element is a small whole number above 0, or a square of the topmost field: products of positive
elements are positive, and exp is. Of two unlike elements the greater is the one whose difference to the other
is positive; what is greater than the greater need not be greater, which no formula relies on but the largest
of several, taken in order.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

PRIMES = (
    534702272086342192267679,
    31008446537730119,
    1099512323159,
)
"""From the top down, all of them 7 modulo 8, so that a square's root is a power of it. Modulo each of them
the whole numbers up to 36 are squares, and so are positive, and roots of all orders up to 52 are unique."""

MODULUS = math.prod(PRIMES)
_PARTS = tuple(MODULUS // p * pow(MODULUS // p, -1, p) for p in PRIMES)
_LARGEST = 4096
"""Above and below the line of an exponent."""
_ORDERED = 2**20
"""Indices are below this, and compared as they are."""


def join(residues: tuple[int, ...]) -> int:
    """The residue modulo the product of the primes, from one for each of them."""
    return sum(r * part for r, part in zip(residues, _PARTS, strict=True)) % MODULUS


@lru_cache(maxsize=4096)
def residue_of(number: Fraction) -> int:
    """The residue of a fraction."""
    return number.numerator * pow(number.denominator, -1, MODULUS) % MODULUS


class Element:
    """An element of the tower; operators take whole numbers and fractions as well."""

    __slots__ = ("residue",)

    def __init__(self, residue: int) -> None:
        self.residue = residue

    @property
    def top(self) -> int:
        """Its residue in the topmost field."""
        return self.residue % PRIMES[0]

    def __add__(self, other: Any) -> Element:
        if type(other) is Element:
            return Element((self.residue + other.residue) % MODULUS)
        return other + self if _is_apart(other) else Element((self.residue + _residue(other)) % MODULUS)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Element:
        if type(other) is Element:
            return Element((self.residue - other.residue) % MODULUS)
        return -other + self if _is_apart(other) else Element((self.residue - _residue(other)) % MODULUS)

    def __rsub__(self, other: Any) -> Element:
        return (-self).__add__(other)

    def __mul__(self, other: Any) -> Element:
        if type(other) is Element:
            return Element(self.residue * other.residue % MODULUS)
        return other * self if _is_apart(other) else Element(self.residue * _residue(other) % MODULUS)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Element:
        return _quotient(self.residue, other)

    def __rtruediv__(self, other: Any) -> Element:
        return _quotient(_residue(other), self)

    def __neg__(self) -> Element:
        return Element(-self.residue % MODULUS)

    def __abs__(self) -> Element:
        return -self if self < 0 else self

    def __pow__(self, exponent: Any) -> Element:
        return power(self, exponent)

    def __rpow__(self, base: Any) -> Element:
        return power(element(base), self)

    def __eq__(self, other: object) -> bool:
        if type(other) is Element:
            return self.residue == other.residue or (self.residue - other.residue) % PRIMES[0] == 0
        return not _is_apart(other) and (self.residue - _residue(other)) % PRIMES[0] == 0

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.top)

    def __lt__(self, other: Any) -> bool:
        return bool(other > self) if _is_apart(other) else is_positive(_residue(other) - self.residue)

    def __gt__(self, other: Any) -> bool:
        return bool(other < self) if _is_apart(other) else is_positive(self.residue - _residue(other))

    def __le__(self, other: Any) -> bool:
        return bool(self == other or self < other)

    def __ge__(self, other: Any) -> bool:
        return bool(self == other or self > other)

    def __repr__(self) -> str:
        return f"Element({self.residue})"


def element(number: Any) -> Element:
    """A number as an element: whole numbers, fractions, and floats as the decimal that they show.

    Raises:
        OverflowError, ValueError: a float that is not finite.
    """
    return number if isinstance(number, Element) else Element(_residue(number))


def _residue(number: Any) -> int:
    if isinstance(number, Element):
        return number.residue
    if isinstance(number, int):
        return number % MODULUS
    if isinstance(number, Fraction):
        return residue_of(number)
    return residue_of(Fraction(repr(float(number))))


def _quotient(above: int, below: Any) -> Element:
    if _is_apart(below):
        return below if below is UNDEFINED else Element(0)
    inverse = _inverse(_residue(below))
    return UNDEFINED if inverse is None else Element(above * inverse % MODULUS)


@lru_cache(maxsize=2**20)
def _inverse(residue: int) -> int | None:
    """1 divided by a residue, which loops ask for over and over; None for 0 in one of the fields."""
    try:
        return pow(residue, -1, MODULUS)
    except ValueError:
        return None


class _Undefined(Element):
    """What has no value, as what is divided by 0: nor has anything that is computed from it."""

    __slots__ = ()

    def _itself(self, *_: Any) -> Element:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _itself
    __neg__ = __abs__ = __pow__ = __rpow__ = _itself

    def _never(self, _: object) -> bool:
        return False

    __lt__ = __gt__ = __le__ = __ge__ = _never

    def __eq__(self, other: object) -> bool:
        return other is self

    __hash__ = Element.__hash__


UNDEFINED = _Undefined(0)


class UnsuitableError(Exception):
    """Something that no finite field can stand for."""


class InfiniteElement(Element):
    """More than every element, or less: what a choice hides, and what a maximum starts from."""

    __slots__ = ("sign",)

    def __init__(self, sign: int) -> None:
        self.sign = sign

    @property
    def residue(self) -> int:  # type: ignore[override]  # it has none
        raise UnsuitableError("something computed of what is infinite")

    def _with(self, other: Any) -> Element:
        return UNDEFINED if self._meets(other, -self.sign) else self

    def _less(self, other: Any) -> Element:
        return UNDEFINED if self._meets(other, self.sign) else self

    def _scaled(self, other: Any) -> Element:
        if _is_apart(other) or other == 0:
            return UNDEFINED
        return self if is_positive(_residue(other)) else -self

    def _meets(self, other: Any, sign: int) -> bool:
        return other is UNDEFINED or (isinstance(other, InfiniteElement) and other.sign == sign)

    def __neg__(self) -> Element:
        return INFINITIES[-self.sign]

    def __abs__(self) -> Element:
        return INFINITIES[1]

    def __rsub__(self, other: Any) -> Element:
        return (-self).__add__(other)

    __add__ = __radd__ = _with
    __sub__ = _less
    __mul__ = __rmul__ = __truediv__ = _scaled

    def __lt__(self, other: Any) -> bool:
        return self.sign < 0 and other is not self

    def __gt__(self, other: Any) -> bool:
        return self.sign > 0 and other is not self

    def __eq__(self, other: object) -> bool:
        return other is self

    def __hash__(self) -> int:
        return hash(("infinite", self.sign))


INFINITIES = {sign: InfiniteElement(sign) for sign in (1, -1)}


def _is_apart(other: object) -> bool:
    """Whether it is an element of no field: undefined, or infinite."""
    return isinstance(other, _Undefined | InfiniteElement)


@lru_cache(maxsize=65536)
def is_positive(difference: int) -> bool:
    """Whether a residue is a square of the topmost field, and not 0; whole numbers are in their own order."""
    whole = difference % MODULUS
    if min(whole, MODULUS - whole) < _ORDERED:
        return 0 < whole < _ORDERED
    prime = PRIMES[0]
    return pow(difference, prime // 2, prime) == 1


def root(number: Element) -> Element:
    """The root of a positive element, itself positive; of another, that of its opposite with some sign."""
    return Element(_root(number.residue))


@lru_cache(maxsize=65536)
def _root(residue: int) -> int:
    return join(tuple(pow(residue, (p + 1) // 4, p) for p in PRIMES))


def _root_of_order(number: Element, order: int) -> Element:
    """The one element whose power of an odd order this is.

    Raises:
        UnsuitableError: in one of the fields several have, or none.
    """
    try:
        powers = tuple(pow(order, -1, p - 1) for p in PRIMES)
    except ValueError:
        raise UnsuitableError(f"a root of order {order}") from None
    return Element(join(tuple(pow(number.residue, e, p) for e, p in zip(powers, PRIMES, strict=True))))


def _fraction(exponent: Any) -> Fraction | None:
    """The simple fraction that an exponent is; None where it is none."""
    if isinstance(exponent, int | Fraction):
        return Fraction(exponent)
    return _simple_fraction(_residue(exponent))


@lru_cache(maxsize=65536)
def _simple_fraction(residue: int) -> Fraction | None:
    """The fraction of small whole numbers that a residue stands for: the only one."""
    above, below, before, found = MODULUS, residue, 0, 1
    while below > _LARGEST:
        times = above // below
        above, below, before, found = below, above - times * below, found, before - times * found
    return Fraction(below, found) if 0 < abs(found) <= _LARGEST else None


def power(base: Element, exponent: Any) -> Element:
    """Powers of simple fractions: roots are elements whose powers these are, a square's root is positive.

    Raises:
        UnsuitableError: another exponent, or a root that is not unique.
    """
    if base is UNDEFINED:
        return base
    fraction = _fraction(exponent)
    if fraction is None:
        raise UnsuitableError("a power that is no simple fraction")
    order = fraction.denominator
    while order % 2 == 0:
        base, order = root(base), order // 2
    if order > 1:
        base = _root_of_order(base, order)
    if fraction >= 0:
        return Element(pow(base.residue, fraction.numerator, MODULUS))
    return _quotient(1, Element(pow(base.residue, -fraction.numerator, MODULUS)))
