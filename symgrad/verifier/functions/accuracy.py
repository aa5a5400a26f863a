"""The elementary functions that a module carries, held against their definitions in units in the last place.

A module may compute exp, tanh and their like by polynomials of its own. Each such function promises an error,
ULPS. Here it is called at places of every size, at the neighbours of places where its formula may change, at
infinities and at a NaN, and compared with 40 digits. Loss and gradient use the same functions, so that
differences of the module's own loss say nothing of them.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from functools import lru_cache, reduce
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias

import mpmath
import numpy as np

from symgrad.errors import ModuleError
from symgrad.spec.scalars import ULPS
from symgrad.verifier.module_tree import tree_of
from symgrad.verifier.report import Check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set

    from symgrad.verifier.interpretation.array_library import Array

_Definition: TypeAlias = ast.FunctionDef | ast.Assign
_LOOPS = (ast.While, ast.For, ast.comprehension)

mp = mpmath.mp.clone()
mp.dps = 40

DEFINITIONS: Mapping[str, Callable[[Any], Any]] = {
    "exp": mp.exp,
    "expm1": mp.expm1,
    "log": lambda x: mp.log(x) if x > 0 else (-mp.inf if x == 0 else mp.nan),
    "log1p": lambda x: mp.log1p(x) if x > -1 else (-mp.inf if x == -1 else mp.nan),
    "erfc": lambda x: mp.erfc(min(x, 100)),
    "erf": mp.erf,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "sigmoid_slope": lambda x: mp.exp(-abs(x)) / (1 + mp.exp(-abs(x))) ** 2,
    "softplus": lambda x: mp.log1p(mp.exp(x)),
    "tanh": mp.tanh,
    "tanh_slope": lambda x: 4 * mp.exp(-2 * abs(x)) / (1 + mp.exp(-2 * abs(x))) ** 2,
    "logcosh": lambda x: mp.log(mp.cosh(x)) if abs(x) > 1e-9 else x * x / 2,
}

AT_INFINITY: Mapping[str, tuple[float, float]] = {
    "exp": (0, np.inf),
    "expm1": (-1, np.inf),
    "log": (np.nan, np.inf),
    "log1p": (np.nan, np.inf),
    "erfc": (2, 0),
    "erf": (-1, 1),
    "sigmoid": (0, 1),
    "sigmoid_slope": (0, 0),
    "softplus": (0, np.inf),
    "tanh": (-1, 1),
    "tanh_slope": (0, 0),
    "logcosh": (np.inf, np.inf),
}
"""The limits to the left and to the right."""

TURNS = {
    "float32": (-104, -103.97208, -87.33655, 88.02969, 88.72284, 89, 9.19, 10.05, 11, 16.6, 20),
    "float64": (-746, -745.13321910194, -708.396418532264, 709.782712893384, 710, 26.54, 27.22, 28, 36.7, 40),
}
"""Where results overflow, underflow, become subnormal or become 1."""
_REDUCTIONS = (0.5, 0.625, 1, 0.34657359, 0.70710678, 1.41421356, 1.03972077, 5, 6.5)
"""Where arguments are reduced, or one formula takes over from another."""


@dataclass(frozen=True)
class Worst:
    """The largest error of a function over some places, in units in the last place, and where it was."""

    units: float
    at: float


def function_checks(source: str, seed: int = 0) -> Iterator[Check]:
    """One check for every elementary function in the text of a module, in the module's own precision."""
    dtype = dtype_of(source)
    if dtype is not None:
        for name in functions_in(source):
            yield _check(name, _definition(source, name), dtype, seed)


def dtype_of(source: str) -> np.dtype[Any] | None:
    """The number type that the text of a module says it computes in."""
    for statement in tree_of(source).body:
        if isinstance(statement, ast.Assign) and _defined(statement) == {"DTYPE"}:
            name = ast.unparse(statement.value).removeprefix("np.")
            return np.dtype(name) if name in TURNS else None
    return None


def functions_in(source: str) -> dict[str, Callable[..., Any]]:
    """The elementary functions that the text of a module defines, run by Python and not compiled."""
    values = namespace_of(source)
    return {name: values[name] for name in ULPS if callable(values.get(name))}


def _definition(source: str, name: str) -> str:
    """The text of one elementary function, and of what it needs."""
    return "\n".join(map(_written, _needed({name}, elementary_definitions(source), _GIVEN.keys())))


@lru_cache(maxsize=4)
def elementary_definitions(source: str) -> tuple[_Definition, ...]:
    """The statements in a module's text that define its elementary functions, and what these need."""
    every = [s for s in tree_of(source).body if isinstance(s, ast.FunctionDef | ast.Assign)]
    functions = {s.name for s in every if isinstance(s, ast.FunctionDef)}
    return tuple(_needed(functions & ULPS.keys(), every, _GIVEN.keys()))


_written = lru_cache(maxsize=512)(ast.unparse)
"""The text of a statement, which stands in the definitions of many functions."""


_GIVEN: Mapping[str, Any] = {
    "np": np,
    "math": math,
    "reduce": reduce,
    "accurately": lambda function: function,
    **dict.fromkeys(("Any", "Callable"), object),  # types say nothing here
    "config": SimpleNamespace(DISABLE_JIT=True),
}
"""What elementary functions may use of a module and of what it imports."""


@lru_cache(maxsize=4)
def namespace_of(source: str) -> Mapping[str, Any]:
    """The elementary functions of a module's text, and what they need; nothing else of the module is run.

    Raises:
        ModuleError: they cannot be defined, or have a loop: none needs one, and it may have no end.
    """
    needed, namespace = elementary_definitions(source), dict(_GIVEN)
    for statement in needed:
        if _has_loop(statement):
            name = ", ".join(sorted(_defined(statement)))
            raise ModuleError(f"{name}: a loop in an elementary function, whose end cannot be foreseen")
    try:
        exec(compile(ast.Module([*needed], []), "<elementary functions>", "exec"), namespace)  # noqa: S102  # judged
    except (Exception, SystemExit) as error:  # whatever a text that was changed may raise
        message = f"the elementary functions cannot be defined: {type(error).__name__}: {error}"
        raise ModuleError(message) from error
    return namespace


def _needed(names: Iterable[str], statements: Sequence[_Definition], given: Set[str]) -> list[_Definition]:
    """The statements that define some names, and the names they use, in their order."""
    found: set[_Definition] = set()
    waiting = set(names)
    while waiting:
        new = {s for s in statements if s not in found and waiting & _defined(s) - given}
        found |= new
        waiting = set[str]().union(*map(_names_in, new))
    return [s for s in statements if s in found]


@lru_cache(maxsize=512)
def _names_in(statement: _Definition) -> frozenset[str]:
    return frozenset(node.id for node in ast.walk(statement) if isinstance(node, ast.Name))


def _has_loop(statement: _Definition) -> bool:
    return any(isinstance(part, _LOOPS) for part in ast.walk(statement))


def _defined(statement: _Definition) -> set[str]:
    if isinstance(statement, ast.FunctionDef):
        return {statement.name}
    return {target.id for target in statement.targets if isinstance(target, ast.Name)}


@lru_cache(maxsize=256)
def _check(name: str, definition: str, dtype: np.dtype[Any], seed: int) -> Check:
    """The row for one function, which is the same in many modules."""
    function = namespace_of(definition)[name]
    what = f"{dtype.name} function, in units in the last place"
    try:
        found = judge(name, function, dtype, seed)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever the module does wrong is a row of the report
        message = f"{name} raised {type(error).__name__}: {error}"
        return Check(name, what, math.inf, ULPS[name], "fail", message)
    if found.units <= ULPS[name]:
        return Check(name, what, found.units, ULPS[name], "pass")
    message = f"{name}({found.at!r}) is {found.units:.3g} units in the last place off"
    return Check(name, what, found.units, ULPS[name], "fail", message)


def judge(name: str, function: Callable[..., Any], dtype: np.dtype[Any], seed: int = 0) -> Worst:
    """The largest error of one of a module's functions of one number, run by Python."""
    places = sample(name, dtype, np.random.default_rng(seed))
    ends = np.array([-np.inf, np.inf, np.nan], dtype)
    with np.errstate(all="ignore"):
        results = np.array([function(x) for x in (*places, *ends)], dtype)
    limits = np.array([*AT_INFINITY[name], np.nan])
    wrong = ~((results[-3:] == limits) | (np.isnan(results[-3:]) & np.isnan(limits)))
    if wrong.any():
        return Worst(math.inf, float(ends[wrong][0]))
    return worst(name, places, results[:-3])


def sample(name: str, dtype: np.dtype[Any], rng: np.random.Generator, count: int = 100) -> Array:
    """Some hundreds of arguments: random ones of every size, and the neighbours of all places of change."""
    kind, info, turns = dtype.type, np.finfo(dtype), TURNS[dtype.name]
    sizes = np.exp(rng.uniform(np.log(float(info.smallest_subnormal)), np.log(1000), count))
    edges = np.array([info.smallest_subnormal, info.tiny, info.eps, *turns, *_REDUCTIONS], kind)
    edges = np.concatenate([edges, -edges, [kind(0), kind(-0.0)]])
    near = [np.nextafter(edges, kind(way)) for way in (-np.inf, np.inf)]
    ends = np.array([info.max, -info.max])
    spread = [rng.uniform(-2, 2, 4 * count), rng.uniform(min(turns), max(turns), count), sizes, -sizes]
    found = np.concatenate([edges, *near, ends, *(s.astype(kind) for s in spread)])
    found = found[np.isfinite(found)]
    return np.asarray(np.abs(found)) if name == "log" else found


def worst(name: str, places: Array, results: Array) -> Worst:
    """The largest error of results of the function of that name."""
    define = DEFINITIONS[name]
    exact = (define(mp.mpf(float(x))) for x in places)
    errors = [units(float(y), true, places.dtype) for y, true in zip(results, exact, strict=True)]
    error, at = max(zip(errors, places.tolist(), strict=True))
    return Worst(error, at)


def units(got: float, true: Any, dtype: np.dtype[Any]) -> float:
    """The error in units in the last place of the true value; infinite where only one of them is finite."""
    info = np.finfo(dtype)
    greatest = mp.mpf(float(info.max)) * (1 + mp.mpf(float(info.eps)) / 4)
    if mp.isnan(true) or mp.isinf(true) or abs(true) >= greatest:
        as_expected = np.isnan(got) if mp.isnan(true) else got == (np.inf if true > 0 else -np.inf)
        return 0.0 if as_expected else np.inf
    if not np.isfinite(got):
        return np.inf
    exponent = max(int(mp.frexp(true)[1]) - 1, int(info.minexp)) if true else int(info.minexp)
    return float(abs(mp.mpf(got) - true) / mp.ldexp(1, exponent - info.nmant))
