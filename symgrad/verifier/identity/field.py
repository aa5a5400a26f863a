"""Arithmetic in the tower of fields: exp is a homomorphism, any other function a random one of its argument.

What is used of a function to bring a formula into another form holds exactly: exp of sums, all that is made
from exp, the logarithm of what differs by a factor exp(a) only, roots of squares, odd and even functions.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.spec.language.builtins import SCALAR_FUNCTIONS, STEPWISE_FUNCTIONS
from symgrad.spec.scalars import SCALARS
from symgrad.verifier.identity.elements import (
    INFINITIES,
    MODULUS,
    PRIMES,
    UNDEFINED,
    Element,
    InfiniteElement,
    element,
    is_positive,
    join,
    power,
    root,
)
from symgrad.verifier.identity.residue_products import pays_off, product_of_residues
from symgrad.verifier.interpretation.arithmetic import Arithmetic, with_formulas
from symgrad.verifier.interpretation.array_library import NUMPY, Array

if TYPE_CHECKING:
    from collections.abc import Callable

_BASES = tuple(pow(3, (above - 1) // below, above) for above, below in pairwise(PRIMES))
"""Of each field but the lowest, an element whose powers are counted modulo the prime below."""

ONE = Element(1)
_MULTIPLES = (1, -1, 2, -2, 3, -3, 4, -4)
_MANY = 2000
_DIGIT = 11
"""Bits of an exponent that are looked up at once."""


class Powers:
    """The powers of one base modulo a prime, from a table: one factor for every eleven bits of exponent."""

    def __init__(self, base: int, prime: int, order: int) -> None:
        self.prime, self.order = prime, order
        self.table: list[list[int]] = []
        for _ in range(0, order.bit_length(), _DIGIT):
            row = [1]
            for _ in range(2**_DIGIT):
                row.append(row[-1] * base % prime)
            base = row.pop()
            self.table.append(row)

    def __getitem__(self, exponent: int) -> int:
        """The base to the exponent, which counts modulo its order."""
        exponent, value = exponent % self.order, 1
        for row in self.table:
            value = value * row[exponent & 2**_DIGIT - 1] % self.prime
            exponent >>= _DIGIT
        return value


@lru_cache(maxsize=1)
def _powers() -> tuple[Powers, ...]:
    """What exp is made of in each field, from the top down: a power, counted modulo the prime below."""
    upper = (Powers(base, *primes) for base, primes in zip(_BASES, pairwise(PRIMES), strict=True))
    return (*upper, Powers(3, PRIMES[-1], PRIMES[-1] - 1))


class Functions:
    """The elementary functions of one trial: the same argument has the same value throughout it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.exponentials: dict[int, Element] = {}
        self.exponents: dict[int, Element] = {}
        self.logarithms: dict[int, list[tuple[Element, Element]]] = {}
        self.antilogarithms: dict[int, tuple[Element, int]] = {}
        self.logarithms_asked = 0

    def random(self, name: str, argument: int) -> int:
        """A random residue for a function at an argument, a residue of the topmost field."""
        key = f"{self.seed} {name} {argument}".encode()
        return int.from_bytes(blake2b(key, digest_size=56).digest(), "big") % MODULUS

    def any(self, name: str, argument: Element) -> Element:
        """A random function."""
        return Element(self.random(name, argument.top))

    def odd(self, name: str, argument: Element) -> Element:
        """A random odd function."""
        return Element(self._odd(name, argument) % MODULUS)

    def _odd(self, name: str, argument: Element) -> int:
        return self.random(name, argument.top) - self.random(name, -argument.top % PRIMES[0])

    def exp(self, x: Element) -> Element:
        """exp(a + b) = exp(a)·exp(b), in the lowest field only exp(-a) = 1/exp(a); exp(n·log(u)) = u**n."""
        known = self.exponentials.get(x.residue)
        if known is not None:
            return known
        known = self._power_of_logarithm(x)
        if known is None:
            *upper, lowest = _powers()
            residues = [powers[x.residue] for powers in upper]
            known = Element(join((*residues, lowest[self._odd("exp", x)])))
        self.exponentials[x.residue] = known
        self.exponents[known.top] = x
        return known

    def _power_of_logarithm(self, x: Element) -> Element | None:
        known = self.antilogarithms.get(x.top)
        return None if known is None else power(*known)

    def log(self, u: Element) -> Element:
        """log(exp(a)) = a and log(u·exp(a)) = log(u) + a for every exp(a) met, log(1/u) = -log(u)."""
        self.logarithms_asked += 1
        value = self._log_by_exponent(u.top) if u != 0 else None
        if value is None:
            value = self._log_by_kin(u)
        for times in _MULTIPLES:
            self.antilogarithms.setdefault(value.top * times % PRIMES[0], (u, times))
        return value

    def _log_by_exponent(self, top: int) -> Element | None:
        """The logarithm of what is exp of something met before."""
        if top in self.exponents:
            return self.exponents[top]
        inverse = pow(top, -1, PRIMES[0])
        return -self.exponents[inverse] if inverse in self.exponents else None

    def _difference_of_exponents(self, top: int) -> Element | None:
        """a - b where this is exp(a)/exp(b) of two met before."""
        if pow(top, PRIMES[1], PRIMES[0]) != 1 or len(self.exponents) > _MANY:
            return None
        for below, exponent in self.exponents.items():
            above = self.exponents.get(top * below % PRIMES[0])
            if above is not None:
                return above - exponent
        return None

    def _log_by_kin(self, u: Element) -> Element:
        """By the logarithm of one that is known and differs by exp(a); the power tells which may."""
        top, prime = u.top, PRIMES[0]
        kind = pow(top, PRIMES[1], prime)
        for other, known in self.logarithms.get(kind, ()):
            if other.top == top:
                return known
            ratio = top * pow(other.top, -1, prime) % prime
            shift = self._log_by_exponent(ratio) or self._difference_of_exponents(ratio)
            if shift is not None:
                return known + shift
        value = Element(self.random("log", u.top))
        self.logarithms.setdefault(kind, []).append((u, value))
        if u != 0:
            self.logarithms.setdefault(pow(kind, -1, prime), []).append((ONE / u, -value))
        return value

    def sine(self, x: Element) -> Element:
        half = self.odd("tan", x)
        return 2 * half / (1 + half * half)

    def cosine(self, x: Element) -> Element:
        half = self.odd("tan", x)
        return (1 - half * half) / (1 + half * half)

    def arcsine(self, x: Element) -> Element:
        """asin(1) is half of what acos(-1) is: a random square stands for pi."""
        if x in (ONE, -ONE):
            quarter = Element(self.random("pi", 1))
            return x * quarter * quarter
        return self.odd("asin", x)

    def table(self) -> dict[str, Callable[[Element], Element]]:
        """All functions of the language by their names."""
        known: dict[str, Callable[[Element], Element]] = {
            "exp": self.exp,
            "log": self.log,
            "sqrt": root,
            "sin": self.sine,
            "cos": self.cosine,
            "asin": self.arcsine,
            "acos": lambda x: self.arcsine(ONE) - self.arcsine(x),
            "abs": abs,
            "sign": sign,
        }
        for name in SCALAR_FUNCTIONS | STEPWISE_FUNCTIONS:
            if name not in known and not SCALARS[name].formula:
                known[name] = partial(self.odd if SCALARS[name].odd else self.any, name)
        formulas = with_formulas(known, element)
        return known | {name: self.remembering(formulas[name]) for name in formulas.keys() - known.keys()}

    def remembering(self, function: Callable[[Element], Element]) -> Callable[[Element], Element]:
        """A formula, computed once for each argument; not where it asks for a logarithm, which may be known
        better later."""
        values: dict[int, Element] = {}

        def value(x: Element) -> Element:
            found = values.get(x.residue)
            if found is None:
                asked = self.logarithms_asked
                found = function(x)
                if self.logarithms_asked == asked:
                    values[x.residue] = found
            return found

        return value


def sign(x: Element) -> Element:
    """1 for a positive element, 0 for 0, -1 for any other."""
    return ONE if is_positive(x.residue) else -ONE if x.residue else x


def matmul(a: Array, b: Array) -> Array:
    """NumPy's matmul of elements, by way of whole numbers."""
    left, right = _residues(a), _residues(b)
    if pays_off(left, right):
        return np.asarray(_elements(product_of_residues(left, right)), dtype=object)
    return np.asarray(_elements(np.matmul(left, right) % MODULUS), dtype=object)


_residues = np.frompyfunc(lambda e: e.residue, 1, 1)
_elements = np.frompyfunc(Element, 1, 1)


def elementwise(function: Callable[..., Any], arity: int = 1) -> Callable[..., Array]:
    """A function of numbers for arrays of them."""
    ufunc = np.frompyfunc(function, arity, 1)
    return lambda *arguments: np.asarray(ufunc(*arguments), dtype=object)


def _where_defined(name: str, function: Callable[[Element], Element]) -> Callable[[Element], Element]:
    """The function, undefined where its argument is; of what is infinite only exp(-inf) is known."""

    def value(x: Element) -> Element:
        if isinstance(x, InfiniteElement):
            return Element(0) if name == "exp" and x.sign < 0 else UNDEFINED
        return x if x is UNDEFINED else function(x)

    return value


def field(seed: int) -> Arithmetic:
    """The arithmetic of one trial; its functions are drawn by `seed` and remember their arguments."""
    return Arithmetic(
        name="a finite field",
        epsilon=0.0,
        dtype=np.dtype(object),
        convert=elementwise(element),
        number=lambda q: element(Fraction(q)),
        divide=elementwise(lambda a, b: a / b, 2),
        power=elementwise(power, 2),
        functions={name: elementwise(_where_defined(name, f)) for name, f in Functions(seed).table().items()},
        steps=(),
        extrapolate=False,
        library=replace(NUMPY, matmul=matmul),
        infinity=INFINITIES[1],
    )


def random_elements(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Elements drawn evenly from the first 2⁶³."""
    return np.asarray(_elements(rng.integers(0, 2**63, shape).astype(object)), dtype=object)
