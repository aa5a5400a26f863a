"""The numbers that elementary functions compute with, in each precision: two files of the runtime hold them.

The functions reduce their argument to a short interval and take a polynomial there. The polynomials are
fitted here, by interpolation at Chebyshev points in high precision, which is near the best in the largest
error; no coefficient is typed. SYMGRAD_UPDATE_GOLDEN=1 writes the files anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill, indent
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
    def ln2_head(self) -> Any:
        """ln(2), so short that n times it is exact for every n that is an exponent."""
        unit = mp.mpf(2) ** (self.fraction - self.bias.bit_length() - 1)
        return mp.floor(mp.ln2 * unit) / unit

    def rounded(self, value: Any) -> str:
        """The number of this type next to a value, in as few digits as tell it from the others."""
        return repr(float(str(np.dtype(self.dtype).type(mp.nstr(mp.mpf(value), 30)))))  # NumPy's form varies


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
class Fit:
    """What a polynomial stands for, in words and as a function, and from where to where."""

    meaning: str
    function: Callable[[Any], Any]
    low: Any
    high: Any


def _of_exp(r: Any) -> Any:
    return (mp.expm1(r) - r) / r**2 if abs(r) > 1e-9 else 0.5 + r / 6


def _of_log(z: Any) -> Any:
    q = mp.sqrt(z)
    return (2 * mp.atanh(q) / q - 2) / z if z > 1e-12 else mp.mpf(2) / 3 + z * 2 / 5


def _of_erf(z: Any) -> Any:
    return (mp.erf(mp.sqrt(z)) / mp.sqrt(z) if z > 1e-25 else 2 / mp.sqrt(mp.pi)) - 1


_MIDDLE = mp.mpf(2.5)


def _of_erfc(w: Any) -> Any:
    x = _MIDDLE * (1 + w) / (1 - w)
    return (1 + 2 * x) * mp.exp(x**2) * mp.erfc(x)


def _of_tanh(z: Any) -> Any:
    return (mp.tanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z if z > 1e-12 else z * 2 / 15 - mp.mpf(1) / 3


def _of_logcosh(z: Any) -> Any:
    return mp.log(mp.cosh(mp.sqrt(z))) / z if z > 1e-15 else 0.5 - z / 12


def fits(p: Precision) -> dict[str, Fit]:
    """The polynomials, by the function that they are for."""
    end = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)
    least, most = ((x - _MIDDLE) / (x + _MIDDLE) for x in (mp.mpf(1), mp.mpf(p.erfc_limit)))
    far = "after Shepherd and Laframboise (1981)"
    return {
        "exp": Fit("(exp(r) - 1 - r)/r² for |r| up to ln(2)/2", _of_exp, -mp.ln2 / 2, mp.ln2 / 2),
        "log": Fit("(log((1 + q)/(1 - q))/q - 2)/z for z = q², from √½ to √2", _of_log, 0, end**2),
        "erf": Fit("erf(x)/x - 1 for z = x² up to 1", _of_erf, 0, 1),
        "erfc": Fit(f"(1 + 2x)·exp(x²)·erfc(x) for w = (x - 2.5)/(x + 2.5), {far}", _of_erfc, least, most),
        "tanh": Fit("(tanh(x)/x - 1)/z for z = x² up to (5/8)²", _of_tanh, 0, 0.625**2),
        "logcosh": Fit("log(cosh(x))/z for z = x² up to 1", _of_logcosh, 0, 1),
    }


def _whole_numbers(p: Precision) -> Iterator[tuple[str, int, str]]:
    root_half = np.sqrt(np.dtype(p.dtype).type(0.5)).view(p.integer)
    yield "FRACTION_BITS", p.fraction, "of a number, below its leading one"
    yield "EXPONENT_BIAS", p.bias, ""
    yield "ROOT_HALF_BITS", int(root_half), "those of √½"
    yield "SQUARE_MASK", -(1 << (p.fraction // 2 + 1)), "leaves the bits of a number whose square is exact"


def _numbers(p: Precision) -> Iterator[tuple[str, Any, str]]:
    yield "EXP_LEAST", p.exp_limits[0], "below it exp is 0"
    yield "EXP_MOST", p.exp_limits[1], "above it exp is infinite"
    yield "EXPM1_LEAST", p.expm1_limit, "below it expm1 is -1"
    yield "ERFC_MOST", p.erfc_limit, "above it erfc is 0"
    yield "NORMAL_LEAST", mp.mpf(2) ** (1 - p.bias), "below it numbers have fewer bits"
    yield "NORMAL_SHIFT", mp.mpf(2) ** p.fraction, "times this they have all of them"
    yield "WHOLE", mp.mpf(3) * 2 ** (p.fraction - 1), "a small number's sum with it ends in that, rounded"
    yield "PER_LN2", 1 / mp.ln2, ""
    yield "LN2", mp.ln2, ""
    yield "LN2_HEAD", p.ln2_head, "so short that its product with an exponent is exact"
    yield "LN2_REST", mp.ln2 - p.ln2_head, "ln(2) less that"


def numbers_text(p: Precision) -> str:
    """The file of the runtime that holds the numbers of one precision."""
    return "\n".join(_lines(p)) + "\n"


def _lines(p: Precision) -> Iterator[str]:
    yield f'"""The numbers that functions of numbers compute with, in {p.dtype}."""\n'
    yield "import numpy as np\n"
    yield f"REAL = np.{p.dtype}  # of other numbers, as gradients are checked with, NumPy has the functions"
    yield f"INTEGER = np.{p.integer}  # holds the bits of such a number"
    for name, whole, comment in _whole_numbers(p):
        yield f"{name} = {whole}" + (f"  # {comment}" if comment else "")
    for name, value, comment in _numbers(p):
        yield f"{name} = REAL({p.rounded(value)})" + (f"  # {comment}" if comment else "")
    for name, fit in fits(p).items():
        coefficients = reversed(mp.chebyfit(fit.function, [fit.low, fit.high], p.terms[name]))
        values = indent(fill(", ".join(map(p.rounded, coefficients)), 96), "    ")
        yield f"# {fit.meaning}\n{name.upper()} = tuple(map(REAL, (\n{values}\n)))"
