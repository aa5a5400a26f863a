"""The numbers that elementary functions compute with, in each precision.

The functions reduce their argument to a short interval and take a polynomial there. The polynomials are
fitted here, by interpolation at Chebyshev points in high precision, which is near the best in the largest
error; no coefficient is typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

mp = mpmath.mp.clone()
mp.dps = 40


@dataclass(frozen=True)
class Precision:
    """A floating-point type: the integers of its size, the bits of its fraction, the bias of its exponent.

    Beyond the limits exp is 0 and infinite, expm1 is -1 and erfc is 0. `terms` counts coefficients.
    """

    dtype: str
    integer: str
    fraction: int
    bias: int
    exp_limits: tuple[int, int]
    expm1_limit: int
    erfc_limit: int
    terms: Mapping[str, int]

    @property
    def whole(self) -> Any:
        """Added to a small number, it leaves the whole number next to that in the last bits."""
        return mp.mpf(3) * 2 ** (self.fraction - 1)

    @property
    def ln2(self) -> tuple[Any, Any]:
        """ln(2) in two parts: n times the first is exact for every n that is an exponent."""
        unit = mp.mpf(2) ** (self.fraction - self.bias.bit_length() - 1)
        head = mp.floor(mp.ln2 * unit) / unit
        return head, mp.ln2 - head

    @property
    def root_half(self) -> int:
        """The bits of √½."""
        return int(np.sqrt(np.dtype(self.dtype).type(0.5)).view(self.integer))

    @property
    def head(self) -> int:
        """The mask that leaves a number of which the square is exact."""
        return -(1 << (self.fraction // 2 + 1))

    def rounded(self, value: Any) -> str:
        """The number of this type next to a value, in as few digits as tell it from the others."""
        text = repr(
            float(str(np.dtype(self.dtype).type(mp.nstr(mp.mpf(value), 30))))
        )  # NumPy's own form varies
        return text if mp.isfinite(value) else f"np.{text}"


PRECISIONS = {
    "float32": Precision(
        *("float32", "int32", 23, 127),
        exp_limits=(-104, 89),
        expm1_limit=-20,
        erfc_limit=11,
        terms={"exp": 6, "log": 4, "erf": 7, "erfc": 9, "tanh": 6, "logcosh": 7},
    ),
    "float64": Precision(
        *("float64", "int64", 52, 1023),
        exp_limits=(-746, 710),
        expm1_limit=-40,
        erfc_limit=28,
        terms={"exp": 11, "log": 7, "erf": 13, "erfc": 20, "tanh": 12, "logcosh": 15},
    ),
}


@dataclass(frozen=True)
class Polynomial:
    """Coefficients, the lowest first, of the powers of a variable."""

    variable: str
    coefficients: tuple[Any, ...]

    def names(self) -> list[str]:
        """What the coefficients are called."""
        return [f"{self.variable}{k}" for k in range(len(self.coefficients))]

    def horner(self) -> str:
        """The polynomial as nested products."""
        *others, text = self.names()
        for name in reversed(others):
            text = f"{name} + {self.variable} * {f'({text})' if ' ' in text else text}"
        return text


def _fit(variable: str, function: Callable[[Any], Any], low: Any, high: Any, terms: int) -> Polynomial:
    return Polynomial(variable, tuple(reversed(mp.chebyfit(function, [low, high], terms))))


Numbers = tuple[dict[str, Any], tuple[Polynomial, ...]]
"""What a function computes with: numbers under their names, and polynomials."""


def _reduction(p: Precision) -> dict[str, Any]:
    head, rest = p.ln2
    return {"per_ln2": 1 / mp.ln2, "whole": p.whole, "ln2": head, "ln2_rest": rest, "one": 1}


def _exponential(p: Precision) -> Polynomial:
    """(exp(r) - 1 - r)/r² for |r| up to ln(2)/2."""

    def remainder(r: Any) -> Any:
        return (mp.expm1(r) - r) / r**2 if abs(r) > 1e-9 else 0.5 + r / 6

    return _fit("r", remainder, -mp.ln2 / 2, mp.ln2 / 2, p.terms["exp"])


def _exp(p: Precision) -> Numbers:
    least, most = p.exp_limits
    return {"least": least, "most": most, **_reduction(p)}, (_exponential(p),)


def _expm1(p: Precision) -> Numbers:
    limits = {"least": p.expm1_limit, "most": p.exp_limits[1]}
    return {**limits, **_reduction(p), "half": 0.5}, (_exponential(p),)


def _logarithm(p: Precision) -> Polynomial:
    """(2·artanh(s)/s - 2)/z for z = s² where (1 + s)/(1 - s) lies between √½ and √2."""

    def remainder(z: Any) -> Any:
        s = mp.sqrt(z)
        return (2 * mp.atanh(s) / s - 2) / z if z > 1e-12 else mp.mpf(2) / 3 + z * 2 / 5

    end = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)
    return _fit("z", remainder, 0, end**2, p.terms["log"])


_OF_LOGARITHMS = {"zero": 0, "half": 0.5, "one": 1, "two": 2, "infinite": mp.inf, "undefined": mp.nan}


def _log(p: Precision) -> Numbers:
    head, rest = p.ln2
    scale = {"least": mp.mpf(2) ** (1 - p.bias), "scale": mp.mpf(2) ** p.fraction, "shift": p.fraction}
    return {**scale, "ln2": head, "ln2_rest": rest, **_OF_LOGARITHMS}, (_logarithm(p),)


def _log1p(p: Precision) -> Numbers:
    head, rest = p.ln2
    return {"ln2": head, "ln2_rest": rest, **_OF_LOGARITHMS}, (_logarithm(p),)


def _error_function(p: Precision) -> Polynomial:
    """erf(x)/x - 1 for z = x² up to 1."""

    def quotient(z: Any) -> Any:
        return (mp.erf(mp.sqrt(z)) / mp.sqrt(z) if z > 1e-25 else 2 / mp.sqrt(mp.pi)) - 1

    return _fit("z", quotient, 0, 1, p.terms["erf"])


def _erf(p: Precision) -> Numbers:
    return {"most": p.erfc_limit, "zero": 0, "one": 1}, (_error_function(p),)


def _erfc(p: Precision) -> Numbers:
    """(1 + 2x)·exp(x²)·erfc(x) for w = (x - c)/(x + c), after Shepherd and Laframboise (1981)."""
    middle = mp.mpf(2.5)
    least, most = ((x - middle) / (x + middle) for x in (mp.mpf(1), mp.mpf(p.erfc_limit)))

    def scaled(w: Any) -> Any:
        x = middle * (1 + w) / (1 - w)
        return (1 + 2 * x) * mp.exp(x**2) * mp.erfc(x)

    far = _fit("w", scaled, least, most, p.terms["erfc"])
    numbers = {"most": p.erfc_limit, **_reduction(p), "zero": 0, "two": 2, "middle": middle}
    return numbers, (_exponential(p), far, _error_function(p))


def _tanh(p: Precision) -> Numbers:
    """(tanh(x)/x - 1)/z for z = x² up to (5/8)²."""

    def quotient(z: Any) -> Any:
        return (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z if z > 1e-12 else z * 2 / 15 - mp.mpf(1) / 3

    return {"end": 0.625, "zero": 0, "one": 1}, (_fit("z", quotient, 0, 0.625**2, p.terms["tanh"]),)


def _logcosh(p: Precision) -> Numbers:
    """log(cosh(x))/z for z = x² up to 1."""

    def quotient(z: Any) -> Any:
        return mp.log(mp.cosh(mp.sqrt(z))) / z if z > 1e-15 else 0.5 - z / 12

    return {"ln2": mp.ln2, "one": 1}, (_fit("z", quotient, 0, 1, p.terms["logcosh"]),)


NUMBERS: dict[str, Callable[[Precision], Numbers]] = {
    "exp": _exp,
    "expm1": _expm1,
    "log": _log,
    "log1p": _log1p,
    "erfc": _erfc,
    "erf": _erf,
    "tanh": _tanh,
    "logcosh": _logcosh,
}
