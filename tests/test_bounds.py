"""Every index of a derived program stays on its axis, and what is accumulated into starts from zero."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from building import interpreted, written

from symgrad.api import read
from symgrad.calculus.axes import Axis
from symgrad.calculus.program import Loop, Program, check
from symgrad.errors import InternalError
from symgrad.pipeline import stages_of

WINDOWS: dict[str, Any] = {
    "name": "windows",
    "dtype": "float64",
    "inputs": {"z": [4]},
    "parameters": {"w": [7]},
    "equations": {"y": "sum(z[i] * w[i + 0] * w[i + 2], i) + w[6]"},
    "loss": "y * y",
}


def derived(spec: dict[str, Any]) -> Program:
    return stages_of(read(spec)).derived


def test_an_index_that_leaves_its_axis_is_a_defect() -> None:
    program = derived(WINDOWS)
    sweep = next(e for e in program.equations if e.loops)
    longer = replace(sweep, loops=tuple(Loop(loop.index, Axis(None, 6)) for loop in sweep.loops))
    broken = tuple(longer if e is sweep else e for e in program.equations)
    with pytest.raises(InternalError, match="leaves"):
        check(replace(program, equations=broken))


def test_an_index_over_a_part_of_an_axis_scatters(tmp_path: Any) -> None:
    module = interpreted(written(WINDOWS, tmp_path))
    rng = np.random.default_rng(3)
    w, z = rng.normal(size=7), rng.normal(size=4)
    value, gradients = module.loss_and_grad(module.Params(w), z)
    y = sum(z[i] * w[i] * w[i + 2] for i in range(4)) + w[6]
    expected = np.zeros(7)
    for i in range(4):
        expected[i] += 2 * y * z[i] * w[i + 2]
        expected[i + 2] += 2 * y * z[i] * w[i]
    expected[6] += 2 * y
    assert value == pytest.approx(y * y, rel=1e-13)
    np.testing.assert_allclose(gradients.w, expected, rtol=1e-12)


def test_an_index_runs_as_far_as_all_its_forms_allow() -> None:
    spec = {**WINDOWS, "equations": {"y": "sum(w[i + 0] * w[i + 1] * w[i + 3], i) + z[0]"}}
    (total,) = [
        e for e in derived(spec).equations if e.reduction == "sum" and not e.scatters and not e.indices
    ]
    assert [loop.axis.size for loop in total.loops] == [4]


def test_widths_of_one_sweep_are_those_of_their_own_axes(tmp_path: Any) -> None:
    """Two short axes in one pass over the rows: each loop asks an array with its own axis for the size."""
    spec = {
        "name": "widths",
        "dtype": "float64",
        "inputs": {"x": ["n", 5], "w": ["n", 40]},
        "equations": {"y": "mean(x, axis=1) - mean(w, axis=1)"},
        "loss": "mean(y**2)",
        "gradients": ["x", "w"],
    }
    module = interpreted(written(spec, tmp_path))
    rng = np.random.default_rng(5)
    x, w = rng.normal(size=(3, 5)), rng.normal(size=(3, 40))
    y = x.mean(axis=1) - w.mean(axis=1)
    gradients = module.input_gradients(module.Params(), x, w)
    np.testing.assert_allclose(gradients.x, np.repeat(2 * y[:, None] / 15, 5, axis=1), rtol=1e-12)
    np.testing.assert_allclose(gradients.w, np.repeat(-2 * y[:, None] / 120, 40, axis=1), rtol=1e-12)


def test_entries_taken_by_number_leave_the_rest_of_the_gradient_zero(tmp_path: Any) -> None:
    spec = {
        "name": "entries",
        "dtype": "float64",
        "inputs": {"k": []},
        "parameters": {"p": [3], "unused": [2, 2]},
        "equations": {"f": "(1 - p[0])**2 + k*(p[2] - p[0]**2)**2"},
        "loss": "f",
    }
    module = interpreted(written(spec, tmp_path))
    p = np.array([0.3, 7.0, -0.8])
    _, gradients = module.loss_and_grad(module.Params(p, np.ones((2, 2))), 2.5)
    inner = p[2] - p[0] ** 2
    np.testing.assert_allclose(gradients.p, [-2 * (1 - p[0]) - 10 * p[0] * inner, 0, 5 * inner], rtol=1e-12)
    assert not gradients.unused.any()
