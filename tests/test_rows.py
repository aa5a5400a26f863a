"""Every row of a scalar function and of a reduction is drawn, judged, shown, computed, and true.

A new row is held to all of this as it stands. The fuzz reads from a row what it may draw, and its oracle the
formula of a function that it does not know; the meaning of all others is its own.
"""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sympy as sp
from building import judged
from fuzz.gradients import judge_gradient
from fuzz.scalar_formulas import ScalarFormulas, forms
from fuzz.tensor_programs import tensor_spec

import symgrad as sg
from symgrad.calculus.terms import Named, function_called
from symgrad.compiler.kernels.instructions import Variable
from symgrad.compiler.kernels.lowering import Lowering
from symgrad.compiler.targets.numba.runtime import runtime_part
from symgrad.compiler.targets.numba.spelling import NUMBA
from symgrad.errors import InternalError, Position
from symgrad.spec.language.builtins import SCALAR_FUNCTIONS, STEPWISE_FUNCTIONS
from symgrad.spec.language.definitions import defined
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.numbers import number
from symgrad.spec.reductions import EXTREMA, REDUCTIONS
from symgrad.spec.scalars import INNER, SCALARS, ULPS, ScalarFunction
from symgrad.verifier.functions.accuracy import AT_INFINITY, DEFINITIONS, mp
from symgrad.verifier.interpretation.arithmetic import (
    DOUBLE,
    EXTENDED,
    FIFTY_DIGITS,
    fifty_digits,
    with_formulas,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HERE = Position("here", 1, 1)
LANGUAGE = sorted(SCALAR_FUNCTIONS | STEPWISE_FUNCTIONS)
OF_OTHERS = sorted(name for name, row in SCALARS.items() if row.formula)
SIGNS = {"sqrt": ("√", r"\sqrt"), "abs": ("|", r"\left|")}
"""Those that are written with signs around their argument."""


def exact(name: str) -> Callable[[Any], Any]:
    """A function to many digits: mpmath's, or what a function is held to that modules alone use."""
    if name in DEFINITIONS:
        return lambda x: DEFINITIONS[name](mp.mpf(x))
    return lambda x: mp.mpf(np.asarray(FIFTY_DIGITS.functions[name](FIFTY_DIGITS.array(x))).item())


def places(row: ScalarFunction) -> list[float]:
    """Arguments within the domain, none of them a whole number."""
    low, high = max(row.arguments.least, -3.0), min(row.arguments.most, 3.0)
    return [float(x) for x in np.random.default_rng(7).uniform(low, high, 30)]


@pytest.mark.parametrize("name", SCALARS)
def test_what_a_row_says_of_its_function_is_true(name: str) -> None:
    row, function = SCALARS[name], exact(name)
    for x in places(row):
        value = function(x)
        assert row.values.holds(float(value)), x
        assert not row.odd or function(-x) == -value
        assert not row.keeps_sign or mp.sign(value) == mp.sign(x)
        assert not row.flat or function(x + 1e-12) == value


@pytest.mark.parametrize("name", LANGUAGE)
def test_beside_its_domain_a_function_has_no_value_and_at_an_open_end_it_is_infinite(name: str) -> None:
    domain = SCALARS[name].arguments
    for end, is_open, way in ((domain.least, domain.open_least, -1), (domain.most, domain.open_most, 1)):
        if math.isfinite(end):
            with np.errstate(all="ignore"):
                for arithmetic in (FIFTY_DIGITS, DOUBLE, EXTENDED):
                    at, beside = (
                        float(arithmetic.functions[name](arithmetic.array(x)).item())
                        for x in (end, end + way)
                    )
                    assert math.isnan(beside)
                    assert math.isinf(at) if is_open else math.isfinite(at)
            call = parse_formula(f"{name}({end!r})", HERE) if not is_open else None
            assert call is None or math.isfinite(number(call, {}) or 0.0)


@pytest.mark.parametrize("name", LANGUAGE)
def test_all_libraries_mean_the_same_by_it(name: str) -> None:
    row, called = SCALARS[name], function_called(name)
    for x in places(row):
        expected = exact(name)(x)
        for arithmetic in (DOUBLE, EXTENDED):
            found = arithmetic.functions[name](arithmetic.array(np.array([x])))[0]
            assert abs(fifty_digits(np.longdouble(found)) - expected) <= 4 * arithmetic.epsilon * abs(
                expected
            )
        by_python = number(parse_formula(f"{name}(z)", HERE), {"z": x})
        assert by_python == pytest.approx(float(expected), rel=1e-15)
        assert float(called(sp.Rational(x)).evalf(20)) == pytest.approx(float(expected), rel=1e-15)


@pytest.mark.parametrize("name", OF_OTHERS)
def test_its_formula_is_the_function(name: str) -> None:
    row = SCALARS[name]
    meaning = defined(row.formula, lambda q: mp.mpf(q.numerator) / q.denominator, exact)
    for x in places(row):
        assert mp.almosteq(meaning({"x": mp.mpf(x)}), exact(name)(x), 1e-25)
    parts = {name for name in SCALARS if f"{name}(" in row.formula.replace(f"a{name}(", "")}
    assert row.use == "code" or parts <= SCALAR_FUNCTIONS - {"abs", "sign"}  # no kink that nobody notes


def test_what_a_module_carries_is_whole() -> None:
    """The text of each is tested in test_elementary.py."""
    assert ULPS.keys() == DEFINITIONS.keys() == AT_INFINITY.keys()
    names = runtime_part("numba/elementary_functions").names
    assert {name for name in names if not name.startswith("_")} == ULPS.keys()
    assert all(row.code or row.ulps or row.formula for row in SCALARS.values())


def test_random_specs_hold_every_row() -> None:
    formulas = ScalarFormulas(Random(3), ("x",))
    text = " ".join(formulas.function(2) for _ in range(400))
    assert {name for name in SCALAR_FUNCTIONS if f"{name}(" in text} == SCALAR_FUNCTIONS
    text = " ".join(str(tensor_spec(Random(seed))) for seed in range(100))
    assert {name for name in REDUCTIONS if f"{name}(" in text} == REDUCTIONS.keys()


def smooth_call(row: ScalarFunction) -> str:
    """One within the domain that brings no kink of its own."""
    anywhere, *within = forms(row)
    return next((form for form in within if "tanh" in form or "**2" in form), anywhere)


def all_functions() -> dict[str, Any]:
    calls = [smooth_call(SCALARS[name]).format("x[n,i] * w[i] + b") for name in sorted(SCALAR_FUNCTIONS)]
    return {
        "name": "functions",
        "dtype": "float64",
        "inputs": {"x": ["n", 2]},
        "parameters": {"w": {"axes": [2], "init": 1}, "b": {"axes": [], "init": 0.25}},
        "equations": {f"f{number}[n,i]": call for number, call in enumerate(calls)},
        "loss": " + ".join(f"{1 + number % 3} * mean(f{number})" for number in range(len(calls))),
    }


def all_reductions() -> dict[str, Any]:
    equations = {}
    for name in REDUCTIONS:
        equations[f"{name}_axis"] = f"{name}(x * w, axis=1)"
        equations[f"{name}_index[n]"] = f"{name}(x[n,i] * w[i] + 1, i)"
    kept = " + ".join(f"mean({name}(x + w, axis=0, keepdims=true)**2)" for name in REDUCTIONS)
    rest = " + ".join(f"sum({key.partition('[')[0]})" for key in equations)
    return {
        "name": "reductions",
        "dtype": "float64",
        "inputs": {"x": ["n", 3]},
        "parameters": {"w": {"axes": [3], "init": "normal(std=1)"}},
        "equations": equations,
        "loss": f"{kept} + {rest}",
    }


@pytest.mark.parametrize("spec", [all_functions(), all_reductions()], ids=lambda spec: str(spec["name"]))
def test_every_row_passes_the_judge_and_the_oracle(spec: dict[str, Any], tmp_path: Path) -> None:
    assert judge_gradient(spec, Random(1), False).kind == "right"
    report = judged(spec, tmp_path, compiled=False)
    assert report.passed, report


def test_every_row_is_written_in_text_and_in_latex() -> None:
    derivation = sg.derive(all_functions())
    text, latex = derivation.text(), derivation.latex()
    for row in (SCALARS[name] for name in SCALAR_FUNCTIONS):
        in_text, in_latex = SIGNS.get(
            row.name, (f"{row.written}(", row.latex or rf"\mathrm{{{row.written}}}")
        )
        assert in_text in text, row.name
        assert in_latex in latex, row.name
    derivation = sg.derive(all_reductions())
    for kind in {row.kind for row in REDUCTIONS.values()}:
        row = REDUCTIONS[kind]
        assert f"{row.written}_" in derivation.text()
        assert (row.latex or rf"\mathrm{{{kind}}}") in derivation.latex()


def test_a_function_that_no_library_has_is_its_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    row = ScalarFunction("bell", formula="exp(-x**2)", image="(0, 1]")
    monkeypatch.setitem(SCALARS, row.name, row)
    monkeypatch.setitem(INNER, row.name, row)
    monkeypatch.setattr(Named, "known", dict(Named.known))
    x = sp.Symbol("x", real=True)
    call = function_called("bell")(x)
    assert isinstance(call, Named)
    assert call.is_positive
    assert sp.diff(call, x) == -2 * x * sp.exp(-(x**2))
    assert number(parse_formula("bell(2)", HERE), {}) == math.exp(-4)
    lower = Lowering(lambda entry: Variable(str(entry)), {x: Variable("v")})
    assert NUMBA.text(lower(call)) == NUMBA.text(lower(sp.exp(-(x**2))))


def test_a_row_without_code_and_formula_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    row = ScalarFunction("bell")
    monkeypatch.setitem(SCALARS, row.name, row)
    with pytest.raises(InternalError, match="the row of 'bell' needs a formula"):
        function_called("bell")
    functions = dict.fromkeys([name for name in LANGUAGE if name != "exp"], abs)
    with pytest.raises(InternalError, match="the row of 'exp' needs a formula"):
        with_formulas(functions, float)
    lower = Lowering(lambda entry: Variable(str(entry)), {})
    with pytest.raises(InternalError, match=r"the row of gamma .* needs a code or a formula"):
        lower(sp.gamma(sp.Symbol("x", real=True)))


def test_extrema_choose_between_two() -> None:
    for name in EXTREMA:
        call = parse_formula(f"{name}(2, 3)", HERE)
        assert number(call, {}) == {"max": 3, "min": 2}.get(name)
