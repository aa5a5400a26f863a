"""The elementary functions of emitted modules, against 40 digits: compiled into a loop, and run by Python."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import pytest
from accuracy.fitting import PRECISIONS
from building import interpreted, written
from seeds import one_in

from symgrad.compiler.kernels.instructions import (
    Applied,
    Assign,
    Cell,
    ForRange,
    Literal,
    Multiplied,
    Note,
    Variable,
)
from symgrad.compiler.loading.load import load
from symgrad.compiler.targets.numba.runtime import functions_of_numbers
from symgrad.compiler.targets.numba.spelling import called_in
from symgrad.errors import ModuleError
from symgrad.spec.scalars import ULPS
from symgrad.verifier.functions.accuracy import AT_INFINITY, function_checks, mp, sample, worst

if TYPE_CHECKING:
    from types import ModuleType

USED = ["exp", "expm1", "log", "log1p", "erf", "sigmoid", "softplus", "tanh", "gelu"]


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
        "gradients": ["x"],
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


@pytest.mark.parametrize("name", one_in(2, ULPS))
def test_every_function_keeps_its_bound(name: str, module: ModuleType, uncompiled: ModuleType) -> None:
    values = sample(name, np.dtype(module.DTYPE), np.random.default_rng(11))
    for results in (in_a_kernel(module, name, values), by_python(uncompiled, name, values)):
        found = worst(name, values, results)
        assert found.units <= ULPS[name], found.at
    assert f"{ULPS[name]} units in the last place" in getattr(uncompiled, name).__doc__


@pytest.mark.parametrize("name", ULPS)
def test_infinities_have_their_values_and_a_nan_stays(
    name: str, module: ModuleType, uncompiled: ModuleType
) -> None:
    values = np.array([-np.inf, np.inf, np.nan, -np.nan] * 8, module.DTYPE)
    expected = np.array([*AT_INFINITY[name], np.nan, np.nan] * 8)
    np.testing.assert_array_equal(in_a_kernel(module, name, values), expected)
    np.testing.assert_array_equal(by_python(uncompiled, name, values), expected)


@pytest.mark.parametrize("name", one_in(2, ULPS))
def test_a_float32_module_computes_in_float64_with_the_precision_of_that(
    name: str, module: ModuleType, uncompiled: ModuleType
) -> None:
    values = sample(name, np.dtype(np.float64), np.random.default_rng(11))
    values = values[np.abs(values) < 1e3]
    for results in (in_a_kernel(module, name, values), by_python(uncompiled, name, values)):
        assert results.dtype == np.float64
        assert worst(name, values, results).units < 6  # units; some are NumPy's


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


def carried(called: set[str], dtype: str) -> set[str]:
    return set(ULPS) & {name for part in functions_of_numbers(called, dtype) for name in part.names}


def test_a_module_carries_what_it_calls_and_what_that_calls() -> None:
    x = Variable("x")
    value = Multiplied((Applied("tanh", (x,)), Applied("log1p", (x,), plain=True)))
    steps = (
        Note("softplus(x)"),
        ForRange(Variable("i"), Literal(3), (Assign(Cell(x, (Literal(0),)), value),)),
    )
    assert called_in(steps) == {"tanh", "np.log1p"}
    assert carried(called_in(steps), "float32") == {"exp", "tanh"}
    assert carried({"erf"}, "float64") == {"erfc", "erf"}
    assert carried({"maximum", "np.exp"}, "float64") == set()
    numbers, *_ = functions_of_numbers({"exp"}, "float32")
    assert "EXP" in numbers.names > {"REAL"}
    assert not numbers.names & {"LOG", "TANH", "ERF"}


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_numbers_are_written_so_that_they_are_read_again(dtype: str) -> None:
    kind = np.dtype(dtype).type
    for value in ("0.1", "1/3", "1e-30", "0.69314718055994530941723212145818"):
        exact = mp.mpf(1) / 3 if value == "1/3" else mp.mpf(value)
        read = kind(float(PRECISIONS[dtype].rounded(exact)))
        assert abs(mp.mpf(float(read)) - exact) <= abs(exact) * mp.mpf(float(np.finfo(kind).eps)) / 2


def text_with(path: Any, name: str, place: int, factor: float) -> str:
    """The module's text with one of its numbers off by a factor."""
    text = path.read_text(encoding="utf-8")
    numbers = re.search(rf"(?<=^{name} = tuple\(map\(REAL, \()[^()]*", text, re.M)
    assert numbers is not None
    found = numbers[0].replace("\n", " ").split(", ")
    found[place] = repr(float(found[place]) * factor)
    return text.replace(numbers[0], ", ".join(found))


@pytest.mark.parametrize(("name", "place"), [("EXP", 0), ("EXP", 2), ("LOG", 0), ("TANH", 0), ("ERF", 0)])
def test_a_wrong_coefficient_fails_the_judge(name: str, place: int, path: Any) -> None:
    dtype = "float32" if "DTYPE = np.float32" in path.read_text(encoding="utf-8") else "float64"
    wrong = text_with(path, name, place, 1 + 1000 * float(np.finfo(dtype).eps))
    assert name.lower() in [c.name for c in function_checks(wrong) if c.verdict == "fail"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("    while True:\n        pass\n", r"^exp: a loop in an elementary function"),
        ("    for n in iter(int, 1):\n        pass\n", r"^exp: a loop in an elementary function"),
        ("    x = [n for n in iter(int, 1)]\n", r"^exp: a loop in an elementary function"),
    ],
)
def test_a_function_that_may_never_end_is_not_run(line: str, told: str) -> None:
    text = f"DTYPE = np.float64\n\n\ndef exp(x):\n{line}    return x\n"
    with pytest.raises(ModuleError, match=told):
        list(function_checks(text))


def test_functions_that_cannot_be_defined_are_told() -> None:
    text = "DTYPE = np.float64\nstart = 1 / 0\n\n\ndef exp(x):\n    return x + start\n"
    with pytest.raises(ModuleError, match=r"^the elementary functions cannot be defined: ZeroDivisionError"):
        list(function_checks(text))


def test_a_function_that_leaves_the_process_is_a_failed_row() -> None:
    text = "DTYPE = np.float64\n\n\ndef exp(x):\n    raise SystemExit(0)\n"
    [found] = function_checks(text)
    assert (found.verdict, found.message) == ("fail", "exp raised SystemExit: 0")


def test_the_judge_passes_what_the_compiler_promises(path: Any) -> None:
    found = list(function_checks(path.read_text(encoding="utf-8")))
    assert [c.name for c in found] == list(ULPS)
    assert all(c.verdict == "pass" for c in found)
