"""pad and flatten of what is padded or flattened: one placement, and never of what something else reads."""

from __future__ import annotations

import numpy as np
import pytest

from symgrad.elaborate.elaborate import elaborate
from symgrad.graphs.interpret import interpret
from symgrad.passes.scattering.nested_placements import with_single_placements
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

X = np.random.default_rng(0).normal(size=(2, 3, 4, 2))


@pytest.mark.parametrize(
    ("equations", "placements", "expected"),
    [
        ({"y": "pad(pad(x, 1, 1, 2), 2, 3, 0)"}, 1, np.pad(X, ((0, 0), (1, 2), (3, 0), (0, 0)))),
        ({"y": "pad(pad(pad(x, 1, 1), 1, 0, 2), -1, 1)"}, 1, np.pad(X, ((0, 0), (1, 3), (0, 0), (1, 1)))),
        ({"y": "flatten(pad(x, 2, 1))"}, 1, np.pad(X, ((0, 0), (0, 0), (1, 1), (0, 0))).reshape(2, -1)),
        ({"y": "flatten(flatten(x, start=2), start=1)"}, 1, X.reshape(2, -1)),
        ({"y": "pad(2 * pad(x, 1, 1), 1, 1)"}, 2, 2 * np.pad(X, ((0, 0), (2, 2), (0, 0), (0, 0)))),
        (
            {"y": "pad(concat(x, 2 * x, axis=1), 2, 1)"},
            3,
            np.pad(np.concatenate([X, 2 * X], axis=1), ((0, 0), (0, 0), (1, 1), (0, 0))),
        ),
        ({"h": "pad(x, 1, 1)", "y": "pad(h, 2, 1)"}, 2, np.pad(X, ((0, 0), (1, 1), (1, 1), (0, 0)))),
    ],
)
def test_a_placement_of_a_placement_is_one(equations, placements, expected):
    spec = {
        "inputs": {"x": ["batch", 3, 4, 2]},
        "equations": equations,
        "loss": "sum(y**2)",
        "outputs": ["y"],
    }
    before = elaborate(expand(read({**spec, "gradients": ["x"]})))
    program = with_single_placements(before)
    values = [interpret(p, {"x": X}, {"batch": 2})["y"] for p in (before, program)]
    np.testing.assert_array_equal(values[0], expected)
    np.testing.assert_array_equal(values[1], expected)
    assert sum(equation.scatters for equation in program.equations) == placements
