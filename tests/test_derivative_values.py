"""Distances of sigmoid and tanh from the ends of their values, in derivatives."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from building import interpreted, written

from symgrad.calculus.real import Piecewise
from symgrad.calculus.terms import Entry, sigmoid
from symgrad.passes.derivative_values import ABOVE, BELOW, DERIVATIVE, FUNCTIONS, in_distances

if TYPE_CHECKING:
    from pathlib import Path

A, G, X = (Entry(name) for name in "agx")
MEANING = {
    sigmoid: {BELOW: 1 - A, DERIVATIVE: A * (1 - A)},
    sp.tanh: {BELOW: 1 - A, ABOVE: 1 + A, DERIVATIVE: 1 - A**2},
}


@pytest.mark.parametrize(
    ("function", "before", "after"),
    [
        (sigmoid, 1 - A, BELOW),
        (sigmoid, G * A * (1 - A), G * DERIVATIVE),
        (sigmoid, G - G * A, G * BELOW),
        (sigmoid, 1 - 2 * A + A**2, BELOW**2),
        (sigmoid, X + 1 - A, X + BELOW),
        (sigmoid, sp.sqrt(A) * (1 - A) / 2, sp.sqrt(A) * BELOW / 2),
        (sigmoid, 1 / A - 1, BELOW / A),
        (sigmoid, A**2 * (1 - A) ** 3, DERIVATIVE**2 * BELOW),
        (sigmoid, 4 - A, 4 - A),
        (sp.tanh, 1 - A**2, DERIVATIVE),
        (sp.tanh, G * X * (3 - 3 * A**2) + 1 + A, 3 * G * X * DERIVATIVE + ABOVE),
        (sp.tanh, 1 - A**4, DERIVATIVE * (1 + A**2)),
        (sp.tanh, Piecewise((1 - A, 1 - A > X), (0, True)), Piecewise((BELOW, 1 - A > X), (0, True))),
    ],
)
def test_sums_that_vanish_at_an_end_are_distances(function: Any, before: sp.Expr, after: sp.Expr) -> None:
    assert in_distances(before, A, FUNCTIONS[function]) == after


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_expression_changes_its_meaning_and_none_keeps_a_difference(function: Any) -> None:
    random = Random(str(function))
    for _ in range(60):
        factors = random.choices((1 - A, 1 + A, A, G, 2 * X + A, 1 - A**3, G - 1), k=4)
        before = sp.expand(sp.Mul(*factors)) * random.choice((1, X, A)) + random.choice((0, 1 - A, A * X))
        after = in_distances(before, A, FUNCTIONS[function])
        assert sp.expand(after.xreplace(MEANING[function]) - before) == 0
        if 1 - A in factors:
            assert after.has(BELOW, DERIVATIVE)


FORMULAS = {
    "sqrt(h)": lambda x: mpmath.exp(-x) * mpmath.sqrt(1 / (1 + mpmath.exp(-x))) / (2 * (1 + mpmath.exp(-x))),
    "log(h)*h": lambda x: mpmath.diff(
        lambda v: -mpmath.log(1 + mpmath.exp(-v)) / (1 + mpmath.exp(-v)), x, relative=True
    ),
}


def test_values_made_of_one_value_are_written_out_where_that_shows_a_distance(tmp_path: Path) -> None:
    equations = {"h": "sqrt(tanh(x))", "u": "1 / h", "f": "u**2"}
    spec = {"name": "made", "dtype": "float64", "inputs": {"x": ["n"]}, "equations": equations}
    module = interpreted(written({**spec, "loss": "sum(f)", "gradients": ["x"]}, tmp_path))
    places = np.array([0.5, 3, 17, 300])
    np.testing.assert_allclose(module.input_gradients((), places).x, -1 / np.sinh(places) ** 2, rtol=1e-14)


def test_a_gate_keeps_its_distance_and_no_slope_beside_it(tmp_path: Path) -> None:
    spec = {"name": "gate", "dtype": "float64", "inputs": {"x": ["n", 2], "c": ["n", 2]}}
    spec |= {"equations": {"z": "sigmoid(x)", "h": "(1 - z)*c"}, "loss": "sum(h)", "gradients": ["x", "c"]}
    path = written(spec, tmp_path)
    assert "z_slope" not in path.read_text()
    x, c = np.array([[-3, 0.5], [17, 60]]), np.array([[2.0, 3], [-1, 4]])
    found = interpreted(path).input_gradients((), x, c)
    away = 1 / (1 + np.exp(x))
    np.testing.assert_allclose(found.c, away, rtol=1e-14)
    np.testing.assert_allclose(found.x, -c * away / (1 + np.exp(-x)), rtol=1e-14)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("inner", ["kept", "inside"])
def test_slopes_far_out_have_all_their_digits(formula: str, inner: str, tmp_path: Path) -> None:
    kept = {"h": "sigmoid(x)", "f": formula}
    equations = kept if inner == "kept" else {"f": formula.replace("h", "sigmoid(x)")}
    spec = {"name": "far", "dtype": "float32", "inputs": {"x": ["n"]}, "equations": equations}
    module = interpreted(written({**spec, "loss": "sum(f)", "gradients": ["x"]}, tmp_path))
    places = np.array([-20, -1, 0.5, 3, 9, 17, 40, 80], np.float32)
    with mpmath.workdps(120):
        exact = [float(FORMULAS[formula](mpmath.mpf(float(x)))) for x in places]
    np.testing.assert_allclose(module.input_gradients((), places).x, exact, rtol=2e-6)
