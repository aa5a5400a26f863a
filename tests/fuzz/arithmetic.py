"""Numbers with a slope: real functions on complex numbers whose imaginary part is a tiny step.

f(x + ih) = f(x) + ih f'(x), to rounding, as no difference of close numbers is formed. No derivative is
written here: the one of erf is the integrand of its definition.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import mpmath
import numpy as np

STEPS = {np.clongdouble: "1e-1500", np.complex128: "1e-120", np.complex64: "1e-20"}
TIE = 1e-15
"""Of numbers around 1: what doubles may take for equal."""


@dataclass
class Arithmetic:
    """Functions on arrays of `kind`.

    `margin` is how near a choice came to a tie, `ties` how many came to one; `clean` is whether all that was
    computed on the way is finite.
    """

    kind: type = np.clongdouble
    margin: float = np.inf
    ties: int = 0
    clean: bool = True
    step: np.floating = field(init=False)

    def __post_init__(self) -> None:
        self.step = np.finfo(self.kind).dtype.type(STEPS[self.kind])

    def number(self, value: object) -> np.ndarray:
        """A real number, or an array of them."""
        return np.asarray(value, np.finfo(self.kind).dtype).astype(self.kind)

    def hidden(self) -> np.ndarray:
        """What stands for infinity: with a minus, its exp is exactly 0, and sums do not change it."""
        return self.number([np.finfo(self.kind).max / 64])

    def watch(self, found: np.ndarray) -> None:
        """Note whether what was computed is finite."""
        self.clean &= bool(np.isfinite(found).all())

    def near(self, distance: np.ndarray) -> None:
        """Note a choice that turns where `distance` is 0."""
        known = np.abs(distance[~np.isnan(distance)])
        if known.size:
            self.margin = min(self.margin, float(known.min()))
            self.ties += int((known <= TIE).sum())

    def function(self, name: str, z: np.ndarray) -> np.ndarray:
        """A function of the language, entry by entry; NaN outside its real domain."""
        known = getattr(self, f"_{name}", None)
        if known:
            return known(z)
        function = getattr(np, _in_numpy(name))
        return _within(~np.isnan(function(z.real)) | np.isnan(z), function(z))

    def knows(self, name: str) -> bool:
        """Whether it has a meaning of its own for a function."""
        return hasattr(self, f"_{name}") or hasattr(np, _in_numpy(name))

    def _abs(self, z: np.ndarray) -> np.ndarray:
        self.near(z.real)
        return np.where(z.real < 0, -z, z)

    def _sign(self, z: np.ndarray) -> np.ndarray:
        self.near(z.real)
        return self.number(np.sign(z.real))

    def _floor(self, z: np.ndarray) -> np.ndarray:
        self.near(z.real - np.rint(z.real))
        return self.number(np.floor(z.real))

    def _sqrt(self, z: np.ndarray) -> np.ndarray:
        self.near(z.real)
        return _within(z.real >= 0, np.sqrt(z))

    def _log(self, z: np.ndarray) -> np.ndarray:
        return _within(z.real >= 0, np.log(z))

    def _log1p(self, z: np.ndarray) -> np.ndarray:
        return _within(z.real >= -1, np.log1p(z))

    def _asin(self, z: np.ndarray) -> np.ndarray:
        self.near(np.abs(z.real) - 1)
        return _within(np.abs(z.real) <= 1, np.arcsin(z))

    def _acos(self, z: np.ndarray) -> np.ndarray:
        self.near(np.abs(z.real) - 1)
        return _within(np.abs(z.real) <= 1, np.arccos(z))

    def _erf(self, z: np.ndarray) -> np.ndarray:
        real = np.vectorize(_erf, otypes=[np.longdouble])(z.real) if z.size else z.real
        density = 2 / np.sqrt(np.arccos(self.number(-1).real)) * np.exp(-(z.real**2))
        return (real + 1j * (z.imag * density)).astype(self.kind)

    def quotient(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """a / b; where rounding is asked for, with an inverse, as compilers do: s/(-s) is not quite -1."""
        return a / b if self.kind is np.clongdouble else a * (1 / b)

    def power(self, base: np.ndarray, exponent: np.ndarray) -> np.ndarray:
        """base ** exponent: a repeated product for whole numbers, else NaN for bases below 0."""
        whole = exponent.ravel()[0].real if exponent.size else 0
        if np.all(exponent == whole) and abs(whole) <= 64 and whole == int(whole):
            return self._repeated(np.broadcast_arrays(base, exponent)[0], int(whole))
        self.near(base.real)
        integral = (exponent.imag == 0) & (exponent.real == np.rint(exponent.real))
        size = np.exp(exponent * np.log(np.where(base.real < 0, -base, base)))
        odd = np.mod(np.rint(exponent.real), 2) == 1
        return _within((base.real > 0) | integral, np.where((base.real < 0) & odd, -size, size))

    def _repeated(self, base: np.ndarray, times: int) -> np.ndarray:
        result = np.ones_like(base)
        for _ in range(abs(times)):
            result = result * base
        return 1 / result if times < 0 else result

    def choose(self, holds: np.ndarray, distance: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """a where `holds`, else b; a comparison with NaN is as doubtful as a tie."""
        self.near(np.where(np.isnan(distance), 0, distance))
        return np.where(holds, a, b)

    def larger(self, a: np.ndarray, b: np.ndarray, sign: int = 1) -> np.ndarray:
        """The larger of two (sign 1) or the smaller (-1); NaN where either is NaN."""
        self.near(a.real - b.real)
        either = np.where(sign * a.real >= sign * b.real, a, b)
        return np.where(np.isnan(a) | np.isnan(b), np.nan, either)

    def extreme(self, z: np.ndarray, sign: int) -> np.ndarray:
        """The largest (sign 1) or smallest (-1) entry along the last axis."""
        ordered = np.sort(sign * z.real, axis=-1)
        if z.shape[-1] > 1:
            self.near(ordered[..., -1] - ordered[..., -2])
        best = np.argmax(sign * z.real, axis=-1)
        return np.take_along_axis(z, best[..., None], axis=-1)[..., 0]

    def log_sum_exp(self, z: np.ndarray) -> np.ndarray:
        """Along the last axis."""
        top = self.number(z.real.max(axis=-1, keepdims=True))
        return np.log(np.exp(z - top).sum(axis=-1)) + top[..., 0]


def _in_numpy(name: str) -> str:
    """NumPy's name for it: an inverse function is an arc."""
    inverse = name[0] == "a" and name[1:4] in ("sin", "cos", "tan")
    return f"arc{name[1:]}" if inverse else name


def _within(domain: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.where(domain, values, np.nan)


def _erf(x: np.floating) -> np.longdouble:
    if not np.isfinite(x):
        return np.longdouble(np.sign(x))
    exact = mpmath.erf(mpmath.mpf(float(x)) + mpmath.mpf(float(x - type(x)(float(x)))))
    head = float(exact)
    return np.longdouble(head) + np.longdouble(float(exact - head))
