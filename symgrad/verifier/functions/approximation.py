"""The polynomials that elementary functions hold, as what they are polynomials of and what they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Approximation:
    """A polynomial and what a function makes of it.

    `made` is the function's value from the polynomial's at x, `exact` the value it stands for; both are 0 at
    x = 0 of an order `zeros`. They take numbers of mpmath and series of balls. `inner` is the polynomial's
    argument. It holds from `low` to `high`; the pieces that are looked at are of equal size in x to the power
    `evenly`.
    """

    inner: Callable[[Any], Any]
    made: Callable[[Any, Any], Any]
    exact: Callable[[Any, Any], Any]
    low: str
    high: Mapping[str, str]
    zeros: int = 0
    pieces: int = 24
    evenly: int = 1


def _both(high: str) -> Mapping[str, str]:
    return {"float32": high, "float64": high}


_HALF_LN2, _END = "0.34657359027997266", "0.17157287525380991"
APPROXIMATIONS: Mapping[str, Approximation] = {
    "exp": Approximation(
        inner=lambda r: r,
        made=lambda r, p: 1 + r + r * r * p,
        exact=lambda m, r: m.exp(r),
        low=f"-{_HALF_LN2}",
        high=_both(_HALF_LN2),
    ),
    "log": Approximation(
        inner=lambda s: s * s,
        made=lambda s, p: 2 * s + s * s * s * p,
        exact=lambda m, s: m.log((1 + s) / (1 - s)),
        low="0",
        high=_both(_END),
        zeros=1,
    ),
    "erf": Approximation(
        inner=lambda x: x * x,
        made=lambda x, p: x + x * p,
        exact=lambda m, x: m.erf(x),
        low="0",
        high=_both("1"),
        zeros=1,
        pieces=48,
    ),
    "erfc": Approximation(
        inner=lambda x: (2 * x - 5) / (2 * x + 5),
        made=lambda _, p: p,
        exact=lambda m, x: (1 + 2 * x) * m.exp(x * x) * m.erfc(x),
        low="1",
        high={"float32": "11", "float64": "28"},
        pieces=2400,
        evenly=2,
    ),
    "tanh": Approximation(
        inner=lambda x: x * x,
        made=lambda x, p: x + x * x * x * p,
        exact=lambda m, x: (m.exp(2 * x) - 1) / (m.exp(2 * x) + 1),
        low="0",
        high=_both("0.625"),
        zeros=1,
        pieces=48,
    ),
    "logcosh": Approximation(
        inner=lambda x: x * x,
        made=lambda x, p: x * x * p,
        exact=lambda m, x: m.log((m.exp(x) + m.exp(-x)) / 2),
        low="0",
        high=_both("1"),
        zeros=2,
        pieces=48,
    ),
}
"""By the function whose name in capitals they have in a module; expm1 and log1p have those of exp and log."""


def horner(coefficients: Sequence[Any], x: Any) -> Any:
    """The value of a polynomial at a number or a series."""
    value = coefficients[-1] + 0 * x
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value
