"""The polynomials inside a module's elementary functions: how far each is from what it stands for.

The coefficients are those in the module's text. With python-flint (the extra `certify`) the largest error can
be certified: Taylor models in Arb balls enclose it over every piece of the interval. `verify` takes the
largest of those at many places, which needs no more than mpmath. Errors are relative to the value of the
function, in units of the number type's precision: so much of its error is the polynomial's.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import ModuleError
from symgrad.verifier.functions.accuracy import TURNS, dtype_of, elementary_definitions, mp, namespace_of
from symgrad.verifier.functions.approximation import APPROXIMATIONS, Approximation, horner
from symgrad.verifier.module_tree import tree_of
from symgrad.verifier.report import Check

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PLACES = 200
"""At so many places an error is looked for where nothing certifies it."""
_ARGUMENTS, _ALLOWED = 400, 1e-4
"""So many arguments are reduced, to numbers that only rounding may lead so far beyond the interval."""


BOUNDS: Mapping[str, Mapping[str, float]] = {
    "exp": {"float32": 0.006, "float64": 0.004},
    "log": {"float32": 0.003, "float64": 0.06},
    "erfc": {"float32": 0.25, "float64": 0.15},
    "erf": {"float32": 0.06, "float64": 0.11},
    "tanh": {"float32": 0.04, "float64": 0.05},
    "logcosh": {"float32": 0.2, "float64": 0.26},
}
"""The largest error that each may have, in units in the last place of 1; all are certified in the tests."""


@dataclass(frozen=True)
class Bound:
    """The error of one polynomial, and how it was found."""

    function: str
    dtype: str
    error: float
    units: float
    how: str


def polynomial_checks(source: str) -> Iterator[Check]:
    """One check for every polynomial in the text of a module."""
    for found in bounds_of(source):
        limit = BOUNDS[found.function][found.dtype]
        what = f"{found.dtype} polynomial, in units in the last place, {found.how}"
        passed = found.units <= limit
        message = "" if passed else f"the polynomial of {found.function} is off by {found.error:.3g}"
        yield Check(found.function, what, found.units, limit, "pass" if passed else "fail", message)


def bounds_of(source: str, certify: bool = False) -> Iterator[Bound]:
    """The error of every polynomial in a module's text; certified, which takes python-flint, or sampled."""
    dtype = dtype_of(source)
    if dtype is None:
        return
    precision = 24 if dtype.name == "float32" else 53
    for function, coefficients in _polynomials(source):
        reach = _reduced_to(namespace_of(source), dtype) if function == "exp" else 0.0
        error = _error(function, coefficients, dtype.name, certify, reach)
        how = "certified" if certify else "sampled"
        yield Bound(function, dtype.name, error, error * 2.0 ** (precision - 1), how)


def _polynomials(source: str) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Functions and the coefficients of the polynomials that are theirs, the lowest first.

    Raises:
        ModuleError: the coefficients are no numbers.
    """
    values = namespace_of(source)
    defined = {function: function.upper() for function in APPROXIMATIONS if function.upper() in values}
    evaluated = set(_evaluated(elementary_definitions(source)))
    if not evaluated.issuperset(defined.values()):  # others may be evaluated anywhere in the text
        evaluated |= set(_evaluated(tree_of(source).body))
    for function, name in defined.items():
        if name in evaluated:
            try:
                yield function, tuple(map(float, values[name]))
            except (TypeError, ValueError) as error:
                raise ModuleError(f"{name}: expected the coefficients of a polynomial; {error}") from error


def _reduced_to(values: Mapping[str, Any], dtype: np.dtype[Any]) -> float:
    """How large the numbers are to which the module reduces arguments of exp; 0 where it is as it should be.

    Raises:
        ModuleError: it does not reduce them.
    """
    if "_reduced" not in values:
        return 0.0
    kind, turns, reach = dtype.type, TURNS[dtype.name], 0.0
    for place in np.linspace(min(turns), max(turns), _ARGUMENTS).astype(dtype).tolist():
        try:
            with np.errstate(all="ignore"):
                _, part, _ = values["_reduced"](kind(place), kind(0))
            whole = round((place - float(part)) / math.log(2))
        except (Exception, SystemExit) as error:  # whatever a text that was changed may raise
            raise ModuleError(f"_reduced raised {type(error).__name__}: {error}") from error
        reach = max(reach, abs(place - whole * math.log(2)))
    return reach if reach > (1 + _ALLOWED) * math.log(2) / 2 else 0.0


def _evaluated(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """The NAMEs in `polynomial(x, NAME)`."""
    for node in (node for statement in statements for node in ast.walk(statement)):
        match node:
            case ast.Call(func=ast.Name("polynomial"), args=[_, ast.Name(name)]):
                yield name


@lru_cache(maxsize=256)
def _error(function: str, coefficients: tuple[float, ...], dtype: str, certify: bool, reach: float) -> float:
    """The error of one polynomial, which is the same in many modules; up to `reach`, if given."""
    which = APPROXIMATIONS[function]
    if reach:
        which = replace(which, low=str(-reach), high={dtype: str(reach)})
    if not certify:
        return _sampled(which, coefficients, dtype)
    from symgrad.verifier.functions.taylor import certified

    return certified(which, coefficients, dtype)


def _sampled(which: Approximation, coefficients: Sequence[float], dtype: str) -> float:
    low, high = mp.mpf(which.low), mp.mpf(which.high[dtype])
    exact = [mp.mpf(c) for c in coefficients]

    def error(x: Any) -> Any:
        true = which.exact(mp, x)
        return abs(which.made(x, horner(exact, which.inner(x))) / true - 1)

    places = [low + (high - low) * mp.mpf(k) / PLACES for k in range(1, PLACES + 1)]
    return float(max(map(error, places)))
