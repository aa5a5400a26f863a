"""Laplacians carry the second order along coordinates, not along pairs of them, and are what they were."""

from __future__ import annotations

import numpy as np
import pytest
from building import interpreted, judged, written

from symgrad.passes.diagonals import with_diagonals
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read

WHOLE, SUMMED, NUMBERED = (
    {"H[n,i]": "d(u[n,0], x[n,i], x[n,i])", "r[n]": "sum(H[n,i], i)"},
    {"r[n]": "sum(d(u[n,0], x[n,i], x[n,i]), i)"},
    {"r[n]": " + ".join(f"d(u[n,0], x[n,{i}], x[n,{i}])" for i in range(3))},
)
LAYERS = {"h": "tanh(x @ V + b)", "g": "sin(h @ W)", "u": "g @ U + sum(x**4, axis=-1, keepdims=True)"}
PAIRS = {**LAYERS, "r[n]": "sum(d(u[n,0], x[n,i], x[n,i]), i) + d(u[n,0], x[n,0], x[n,2])"}


def spec(equations, **changed):
    return {
        "dtype": "float64",
        "inputs": {"x": ["batch", 3]},
        "parameters": {"V": [3, 5], "b": [5], "W": [5, 4], "U": [4, 1]},
        "equations": equations,
        "loss": "mean(r**2)",
        **changed,
    }


def sizes(equations):
    """The axes of the tensors of second order."""
    program = stages_of(read(spec(equations))).formulas
    return {t.name: [a.size for a in t.axes[1:]] for t in program.tensors if len(t.by) == 2}


@pytest.mark.parametrize("laplacian", [WHOLE, SUMMED])
def test_a_laplacian_has_no_entries_beside_the_diagonal(laplacian):
    found = sizes({**LAYERS, **laplacian})
    assert found
    assert not [name for name, axes in found.items() if axes.count(3) > 1]


def test_what_is_read_beside_the_diagonal_too_stays_whole():
    pairs = {**LAYERS, "r[n]": "sum(d(u[n,0], x[n,i], x[n,j]), i, j)"}
    assert any(axes.count(3) == 2 for axes in sizes(pairs).values())


def test_a_tensor_of_the_user_s_keeps_its_axes():
    traced = {"S[n,i,j]": "x[n,i] * x[n,j]", "r[n]": "sum(S[n,i,i], i)"}
    program = stages_of(read(spec(traced, parameters={"a": []}, loss="a * mean(r)"))).formulas
    assert with_diagonals(program) == program
    assert len(program.tensor["S"].axes) == 3


def test_laplacians_in_three_spellings_are_the_same(tmp_path):
    found, x = [], np.random.default_rng(0).normal(size=(4, 3))
    for number, laplacian in enumerate((WHOLE, SUMMED, NUMBERED)):
        (tmp_path / str(number)).mkdir()
        module = interpreted(written(spec({**LAYERS, **laplacian}), tmp_path / str(number)))
        loss, gradient = module.loss_and_grad(module.init_params(0), x)
        found.append([loss, *module.flatten(gradient)])
    np.testing.assert_allclose(found[0], found[2], rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(found[1], found[2], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("equations", [{**LAYERS, **SUMMED}, PAIRS])
def test_the_judge_passes_it(equations, tmp_path):
    report = judged(spec(equations), tmp_path, compiled=False, points=1)
    assert report.passed, str(report)
