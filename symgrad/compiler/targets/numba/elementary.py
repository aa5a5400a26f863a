"""The elementary functions of an emitted module: which it carries, and how exact they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from textwrap import fill
from typing import TYPE_CHECKING

from symgrad.compiler.targets.numba.approximations import NUMBERS, PRECISIONS
from symgrad.spec.scalars import ULPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NEEDS = {
    "erf": ("erfc",),
    "sigmoid": ("exp",),
    "sigmoid_slope": ("exp",),
    "softplus": ("exp", "log1p"),
    "tanh": ("exp",),
    "tanh_slope": ("exp",),
    "logcosh": ("exp", "log1p"),
}
"""What the code of each calls."""


@dataclass(frozen=True)
class FunctionText:
    """What the template of a function receives: its numbers under their names, and its polynomials."""

    name: str
    ulps: float
    names: str
    numbers: str
    polynomials: Mapping[str, str]


def functions_of(called: Iterable[str], dtype: str) -> tuple[FunctionText, ...]:
    """The elementary functions among the names called, and those that these call, in order."""
    called = set(called)
    for name in reversed(ULPS):
        called |= set(NEEDS.get(name, ())) if name in called else set()
    return tuple(_function(name, dtype) for name in ULPS if name in called)


@cache
def _function(name: str, dtype: str) -> FunctionText:
    precision = PRECISIONS[dtype]
    numbers, polynomials = NUMBERS[name](precision) if name in NUMBERS else ({}, ())
    fitted = [(n, c) for p in polynomials for n, c in zip(p.names(), p.coefficients, strict=True)]
    values = ", ".join(precision.rounded(v) for v in (*numbers.values(), *(c for _, c in fitted)))
    return FunctionText(
        name,
        ULPS[name],
        ", ".join((*numbers, *(n for n, _ in fitted))),
        fill(values, 100, initial_indent="    ", subsequent_indent="    "),
        {p.variable: p.horner() for p in polynomials},
    )
