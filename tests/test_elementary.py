"""The elementary functions of emitted modules, against 40 digits: compiled into a loop, and run by Python."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import mpmath
import numba
import numpy as np
import pytest
from building import interpreted, written

from symgrad.compiler.approximations import PRECISIONS
from symgrad.compiler.elementary import ULPS, called_in, functions_of
from symgrad.compiler.load import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

mp = mpmath.mp.clone()
mp.dps = 40

DEFINITIONS: dict[str, Callable[[Any], Any]] = {
    "exp": mp.exp,
    "expm1": mp.expm1,
    "log": lambda x: mp.log(x) if x > 0 else (-mp.inf if x == 0 else mp.nan),
    "log1p": lambda x: mp.log1p(x) if x > -1 else (-mp.inf if x == -1 else mp.nan),
    "erfc": lambda x: mp.erfc(min(x, 100)),
    "erf": mp.erf,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "softplus": lambda x: mp.log1p(mp.exp(x)),
    "tanh": mp.tanh,
    "logcosh": lambda x: mp.log(mp.cosh(x)) if abs(x) > 1e-9 else x * x / 2,
}
AT_INFINITY = {
    "exp": (0, np.inf),
    "expm1": (-1, np.inf),
    "log": (np.nan, np.inf),
    "log1p": (np.nan, np.inf),
    "erfc": (2, 0),
    "erf": (-1, 1),
    "sigmoid": (0, 1),
    "softplus": (0, np.inf),
    "tanh": (-1, 1),
    "logcosh": (np.inf, np.inf),
}
USED = ["exp", "expm1", "log", "log1p", "erf", "sigmoid", "softplus", "tanh", "gelu"]
TURNS = {
    "float32": [-104, -103.97208, -87.33655, 88.02969, 88.72284, 89, 9.19, 10.05, 11, 16.6, 20],
    "float64": [-746, -745.13321910194, -708.396418532264, 709.782712893384, 710, 26.54, 27.22, 28, 36.7, 40],
}
"""Where results overflow, underflow, become subnormal or become 1."""


@pytest.fixture(scope="module", params=["float32", "float64"])
def path(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A module that carries all functions, and a maximum and a minimum."""
    equations = {f"f{n}": f"{name}(x)" for n, name in enumerate(USED)}
    equations |= {"g": "max(x, axis=1)", "h": "min(x, axis=1)"}
    spec = {
        "name": "elementary",
        "dtype": request.param,
        "inputs": {"x": ["n", 20]},
        "targets": {"t": ["n", 20]},
        "equations": equations,
        "outputs": ["g", "h"],
        "loss": f"sum(log_cosh(x, t)) + {' + '.join(f'sum({name})' for name in equations)}",
    }
    return written(spec, tmp_path_factory.mktemp("elementary"))


@pytest.fixture(scope="module")
def module(path: Any) -> ModuleType:
    return load(path)


@pytest.fixture(scope="module")
def uncompiled(path: Any) -> ModuleType:
    return interpreted(path)


def in_a_kernel(module: ModuleType, name: str, values: np.ndarray) -> np.ndarray:
    """The function in a loop that may regroup sums, as a kernel of the module has it."""
    function, results = getattr(module, name), np.empty_like(values)

    @numba.njit(error_model="numpy", fastmath={*module.IN_ORDER, "reassoc"})
    def loop(values: Any, shift: Any, results: Any) -> None:
        for i in range(values.shape[0]):
            results[i] = shift + function(shift + values[i])

    loop(values, values.dtype.type(0), results)
    return results


def by_python(module: ModuleType, name: str, values: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # NumPy tells of overflow and of log(0)
        return np.array([getattr(module, name)(x) for x in values], values.dtype)


def points(name: str, dtype: str) -> np.ndarray:
    """Random numbers of every size, and the neighbours of all places where a formula changes."""
    kind, info, rng = np.dtype(dtype).type, np.finfo(dtype), np.random.default_rng(11)
    sizes = np.exp(rng.uniform(np.log(float(info.smallest_subnormal)), np.log(1000), 70))
    turns = [*TURNS[dtype], 0.5, 0.625, 1, 0.34657359, 0.70710678, 1.41421356, 1.03972077, 5, 6.5]
    edges = np.array([float(info.smallest_subnormal), float(info.tiny), float(info.eps), *turns], kind)
    edges = np.concatenate([edges, -edges, [kind(0), kind(-0.0)]])
    near = [np.nextafter(edges, kind(way)) for way in (-np.inf, np.inf)]
    near.append(np.array([info.max, -info.max]))
    spread = [rng.uniform(-2, 2, 70), rng.uniform(min(TURNS[dtype]), max(TURNS[dtype]), 70), sizes, -sizes]
    found = np.concatenate([edges, *near, *(s.astype(kind) for s in spread)])
    found = found[np.isfinite(found)]
    return np.abs(found) if name == "log" else found


def error(got: float, true: Any, info: Any) -> float:
    """In units in the last place of the true value; infinite where one overflows and the other does not."""
    greatest = mp.mpf(float(info.max)) * (1 + mp.mpf(float(info.eps)) / 4)
    if mp.isnan(true) or mp.isinf(true) or abs(true) >= greatest:
        as_expected = np.isnan(got) if mp.isnan(true) else got == (np.inf if true > 0 else -np.inf)
        return 0.0 if as_expected else np.inf
    exponent = max(int(mp.frexp(true)[1]) - 1, int(info.minexp)) if true else int(info.minexp)
    return float(abs(mp.mpf(float(got)) - true) / mp.ldexp(1, exponent - info.nmant))


def worst(name: str, values: np.ndarray, results: np.ndarray) -> tuple[float, float]:
    info, define = np.finfo(values.dtype), DEFINITIONS[name]
    errors = [error(float(y), define(mp.mpf(float(x))), info) for x, y in zip(values, results, strict=True)]
    return max(zip(errors, values.tolist(), strict=True))


@pytest.mark.parametrize("name", ULPS)
def test_every_function_keeps_its_bound(name: str, module: ModuleType, uncompiled: ModuleType) -> None:
    values = points(name, np.dtype(module.DTYPE).name)
    for results in (in_a_kernel(module, name, values), by_python(uncompiled, name, values)):
        found, at = worst(name, values, results)
        assert found <= ULPS[name], at
    assert f"{ULPS[name]} units in the last place" in getattr(uncompiled, name).__doc__


@pytest.mark.parametrize("name", ULPS)
def test_infinities_have_their_values_and_a_nan_stays(
    name: str, module: ModuleType, uncompiled: ModuleType
) -> None:
    values = np.array([-np.inf, np.inf, np.nan, -np.nan] * 8, module.DTYPE)
    expected = np.array([*AT_INFINITY[name], np.nan, np.nan] * 8)
    np.testing.assert_array_equal(in_a_kernel(module, name, values), expected)
    np.testing.assert_array_equal(by_python(uncompiled, name, values), expected)


@pytest.mark.parametrize("name", ULPS)
def test_a_float32_module_computes_in_float64_with_the_precision_of_that(
    name: str, module: ModuleType, uncompiled: ModuleType
) -> None:
    values = points(name, "float64")
    values = values[np.abs(values) < 1e3]
    for results in (in_a_kernel(module, name, values), by_python(uncompiled, name, values)):
        assert results.dtype == np.float64
        assert worst(name, values, results)[0] < 6  # units; some are NumPy's


def test_maxima_and_minima_keep_a_nan(module: ModuleType) -> None:
    x = np.random.default_rng(0).normal(size=(6, 20)).astype(module.DTYPE)
    x[1, 3], x[2, 0], x[3, 19], x[4, 5], x[5] = np.nan, -np.nan, np.nan, np.inf, -np.inf
    maximum, minimum = module.maximum, module.minimum

    @numba.njit(error_model="numpy", fastmath={*module.IN_ORDER, "reassoc"})
    def extremes(x: Any, found: Any) -> None:
        for n in range(x.shape[0]):
            low = high = x[n, 0]
            for i in range(x.shape[1]):
                low, high = minimum(low, x[n, i]), maximum(high, x[n, i])
            found[n, 0], found[n, 1] = low, high

    found = np.empty((6, 2), x.dtype)
    extremes(x, found)
    np.testing.assert_array_equal(found, np.stack([x.min(axis=1), x.max(axis=1)], axis=1))


def test_a_module_carries_what_it_calls_and_what_that_calls() -> None:
    lines = ["A[n, i] = tanh(Z[n, i]) + np.log1p(_exp_of(x))  # = softplus(x)", "# erf(x)"]
    assert called_in(lines) == {"tanh", "_exp_of"}
    assert [f.name for f in functions_of(called_in(lines), "float32")] == ["exp", "tanh"]
    assert [f.name for f in functions_of({"erf"}, "float64")] == ["erfc", "erf"]


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_numbers_are_written_so_that_they_are_read_again(dtype: str) -> None:
    kind = np.dtype(dtype).type
    for value in ("0.1", "1/3", "1e-30", "0.69314718055994530941723212145818"):
        exact = mp.mpf(1) / 3 if value == "1/3" else mp.mpf(value)
        read = kind(float(PRECISIONS[dtype].rounded(exact)))
        assert abs(mp.mpf(float(read)) - exact) <= abs(exact) * mp.mpf(float(np.finfo(kind).eps)) / 2
