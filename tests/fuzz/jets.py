"""Numbers with slopes along several directions at once: sums over products of ε₁, ε₂, … where ε² = 0.

f(x + r) = Σ f⁽ᵐ⁾(x) rᵐ / m!, which ends as r is nilpotent; the coefficients are mpmath's differences of f
alone. They stand in arrays of objects, so that what is defined for other numbers is defined for them.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import mpmath
import numpy as np

from fuzz.arithmetic import Arithmetic

FUNCTIONS: dict[str, Any] = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "tanh": mpmath.tanh,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "asin": mpmath.asin,
    "acos": mpmath.acos,
    "atan": mpmath.atan,
    "erf": mpmath.erf,
    "sqrt": mpmath.sqrt,
    "log1p": mpmath.log1p,
    "expm1": mpmath.expm1,
    "inverse": lambda x: 1 / x,
}


@cache
def series(name: str, at: float, order: int) -> list[float]:
    """The coefficients f⁽ᵐ⁾(at) / m!, each to its own size: none is taken for 0 as it is small.

    The steps are small beside a number near 0, the digits enough to see them beside a large one.
    """
    try:
        with mpmath.workdps(20):
            x = mpmath.mpf(at)
            size = int(mpmath.mag(x)) if at and math.isfinite(at) else 0
            digits = {"h": mpmath.ldexp(1, min(size, 0) - mpmath.mp.prec - 10), "addprec": 10 + abs(size)}
            return [float(c) for c in mpmath.taylor(FUNCTIONS[name], x, order, chop=False, **digits)]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):  # complex, or infinite
        return [math.nan] * (order + 1)


class Jet:
    """`parts` are coefficients by the set of directions, as bits of a number."""

    __slots__ = ("parts",)

    def __init__(self, parts: dict[int, float]) -> None:
        self.parts = parts

    @property
    def value(self) -> float:
        return self.parts.get(0, 0.0)

    def part(self, bit: int) -> Jet:
        """The slope along one direction, which may have slopes itself."""
        return Jet({mask ^ bit: c for mask, c in self.parts.items() if mask & bit})

    def __add__(self, other: Any) -> Jet:
        other = jet(other)
        return Jet({m: self.parts.get(m, 0.0) + other.parts.get(m, 0.0) for m in {*self.parts, *other.parts}})

    def __mul__(self, other: Any) -> Jet:
        found: dict[int, float] = {}
        for a, x in self.parts.items():
            for b, y in jet(other).parts.items():
                if not a & b:
                    found[a | b] = found.get(a | b, 0.0) + x * y
        return Jet(found)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Jet:
        return Jet({m: -c for m, c in self.parts.items()})

    def __sub__(self, other: Any) -> Jet:
        return self + -jet(other)

    def __rsub__(self, other: Any) -> Jet:
        return jet(other) + -self

    def __truediv__(self, other: Any) -> Jet:
        return self * jet(other).of("inverse")

    def __rtruediv__(self, other: Any) -> Jet:
        return jet(other) * self.of("inverse")

    def __pow__(self, times: int) -> Jet:
        found = jet(1)
        for _ in range(abs(times)):
            found = found * self
        return found.of("inverse") if times < 0 else found

    def __abs__(self) -> Jet:
        return -self if self.value < 0 else self

    def __lt__(self, other: Any) -> bool:
        return self.value < jet(other).value

    def __le__(self, other: Any) -> bool:
        return self.value <= jet(other).value

    def __gt__(self, other: Any) -> bool:
        return self.value > jet(other).value

    def __ge__(self, other: Any) -> bool:
        return self.value >= jet(other).value

    def __eq__(self, other: object) -> bool:
        return self.value == jet(other).value

    def __hash__(self) -> int:
        return hash(self.value)

    def of(self, name: str) -> Jet:
        """A function of it."""
        rest = Jet({m: c for m, c in self.parts.items() if m})
        directions = 0
        for mask in rest.parts:
            directions |= mask
        order = directions.bit_count()
        coefficients = series(name, self.value, order)
        found, power = jet(coefficients[0]), jet(1)
        for coefficient in coefficients[1:]:
            power = power * rest
            found = found + power * coefficient
        return found

    def exp(self) -> Jet:
        return self.of("exp")

    def log(self) -> Jet:
        return self.of("log")

    def sqrt(self) -> Jet:
        return self.of("sqrt")


def jet(number: Any) -> Jet:
    """A number as one, without slopes."""
    number = number.item() if isinstance(number, np.ndarray) else number
    return number if isinstance(number, Jet) else Jet({0: float(number)})


def values(array: Any) -> np.ndarray:
    """The numbers without their slopes."""
    return np.asarray(np.vectorize(lambda z: jet(z).value, otypes=[float])(array))


def slopes(array: Any, bit: int) -> np.ndarray:
    """The slopes along one direction."""
    return np.asarray(np.vectorize(lambda z: jet(z).part(bit), otypes=[object])(array))


class Jets(Arithmetic):
    """Functions on arrays of them."""

    used = 0

    def direction(self) -> int:
        """A new one, as its bit; there are as many as are open at once."""
        self.used += 1
        return 1 << self.used - 1

    def close(self) -> None:
        """The last direction is no more."""
        self.used -= 1

    def number(self, value: object) -> np.ndarray:
        floats = np.asarray(value, dtype=float)
        return np.asarray(np.vectorize(jet, otypes=[object])(floats)).reshape(floats.shape)

    def hidden(self) -> np.ndarray:
        return self.number([1e300])

    def watch(self, found: np.ndarray) -> None:
        self.clean &= bool(np.isfinite(values(found)).all()) if found.size else True

    def near(self, distance: np.ndarray) -> None:
        super().near(values(distance) if distance.size else np.zeros(0))

    def knows(self, name: str) -> bool:
        return name in FUNCTIONS or name in ("abs", "sign", "floor")

    def function(self, name: str, z: np.ndarray) -> np.ndarray:
        if name in ("abs", "sign", "sqrt"):
            self.near(z)
        if name == "floor":
            self.near(values(z) - np.rint(values(z)))
            return self.number(np.floor(values(z)))
        if name == "sign":
            return self.number(np.sign(values(z)))
        act = abs if name == "abs" else lambda x: jet(x).of(name)
        return np.asarray(np.vectorize(act, otypes=[object])(z)).reshape(z.shape) if z.size else z

    def quotient(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a / b

    def power(self, base: np.ndarray, exponent: np.ndarray) -> np.ndarray:
        if not exponent.size or not base.size:
            return base * exponent
        whole = jet(exponent.ravel()[0]).value
        slopeless = all(not any(jet(e).parts.get(m) for m in jet(e).parts if m) for e in exponent.ravel())
        if slopeless and (values(exponent) == whole).all() and abs(whole) <= 64 and whole == int(whole):
            return np.broadcast_arrays(base, exponent)[0] ** int(whole)
        self.near(base)
        return self.function("exp", exponent * self.function("log", base))

    def choose(self, holds: np.ndarray, distance: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.near(distance)
        return np.where(holds, a, b)

    def larger(self, a: np.ndarray, b: np.ndarray, sign: int = 1) -> np.ndarray:
        self.near(a - b)
        return np.where(sign * values(a) >= sign * values(b), a, b)

    def extreme(self, z: np.ndarray, sign: int) -> np.ndarray:
        ordered = np.sort(sign * values(z), axis=-1)
        if z.shape[-1] > 1:
            super().near(ordered[..., -1] - ordered[..., -2])
        best = np.argmax(sign * values(z), axis=-1)
        return np.take_along_axis(z, best[..., None], axis=-1)[..., 0]

    def log_sum_exp(self, z: np.ndarray) -> np.ndarray:
        top = self.number(values(z).max(axis=-1, keepdims=True))
        powers = self.function("exp", z - top).sum(axis=-1)
        return self.function("log", np.asarray(powers, object)) + top[..., 0]
