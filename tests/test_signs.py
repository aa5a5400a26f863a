"""Choices by the sign of an output: where they stand for those by its input, and what is kept then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sympy as sp
from building import by_rows, interpreted, written

from symgrad.calculus.terms import entries
from symgrad.passes.sign_tests import choose_by_outputs
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from pathlib import Path

BASE: dict[str, Any] = {
    "name": "signs",
    "dtype": "float64",
    "inputs": {"x": ["n", 3]},
    "targets": {"t": ["n", 4]},
    "parameters": {"W": {"axes": [3, 4], "init": "normal(std=1)"}},
}


def chooses(equations: dict[str, str], loss: str = "mse(A, t)") -> set[str]:
    """What the computed gradient reads beside parameters and data, of Z and A."""
    program = stages_of(read({**BASE, "equations": {"Z": "x @ W", **equations}, "loss": loss})).derived
    before = {e.target for e in program.equations}
    computed = choose_by_outputs(program)
    assert {e.target for e in computed.equations} == before
    place = [e.target for e in computed.equations].index("loss")
    return {entry.tensor for e in computed.equations[place + 1 :] for entry in entries(e.body)} & {"Z", "A"}


BY_OUTPUT = {
    "relu": "relu(Z)",
    "a leaky relu": "leaky_relu(Z)",
    "another slope": "leaky_relu(Z, negative_slope=0.3)",
    "max with 0": "max(Z, 0)",
    "max with 0, the other way round": "max(0, Z)",
    "an own choice": "where(Z > 0, Z, 0.2*Z)",
    "an own choice, the other way round": "where(Z <= 0, 0, Z)",
}
BY_INPUT = {
    "elu reads its input below 0": "elu(Z)",
    "relu6 has two kinks": "relu6(Z)",
    "a slope below 0 turns the sign": "where(Z > 0, Z, -0.2*Z)",
    "abs": "abs(Z)",
    "another threshold": "where(Z > 1, Z, 0)",
    "another function above": "where(Z > 0, 2*Z - 1, 0)",
    "0 belongs to the upper part": "where(Z >= 0, Z, 0.2*Z)",
}


@pytest.mark.parametrize("name", BY_OUTPUT)
def test_the_sign_of_the_output_is_enough(name: str) -> None:
    assert chooses({"A": BY_OUTPUT[name]}) == {"A"}


@pytest.mark.parametrize("name", BY_INPUT)
def test_the_input_is_needed(name: str) -> None:
    assert "Z" in chooses({"A": BY_INPUT[name]})


def test_the_input_stays_where_it_is_needed_otherwise() -> None:
    assert chooses({"A": "relu(Z)"}, "mse(A, t) + mean(Z**4)") == {"Z", "A"}


def test_the_shown_program_names_the_input() -> None:
    spec = {**BASE, "equations": {"Z": "x @ W", "A": "relu(Z)"}, "loss": "mse(A, t)"}
    program = stages_of(read(spec)).derived
    (slope,) = [e for e in program.equations if e.target == "dZ"]
    assert slope.reads >= {"Z"}


GATE = "where(x @ W < 0.3, 1, 0)"
GATED = {
    "a product with a gate": ("2 * A * where(m < 0.5, 1, 0)", {"D"}),
    "two gates": ("A * where(m < 0.5, 1, 0) * where(m > 0.1, 1, 0)", {"D"}),
    "a gate of a column": ("A * where(m[:, :1] < 0.5, 0, 1)", {"D"}),
    "a number below 1 may make it 0": ("0.9 * A * where(m < 0.5, 1, 0)", {"A"}),
    "a number below 0 turns the sign": ("-2 * A * where(m < 0.5, 1, 0)", {"A"}),
    "no gate": ("A * where(m < 0.5, 2, 0)", {"A"}),
    "another factor": ("A * m * where(m < 0.5, 1, 0)", {"A"}),
}


@pytest.mark.parametrize("name", GATED)
def test_the_sign_of_what_is_gated_is_enough(name: str) -> None:
    formula, tested = GATED[name]
    spec = {**BASE, "equations": {"Z": "x @ W", "A": "relu(Z)", "D": formula}, "loss": "mse(D, t)"}
    program = choose_by_outputs(stages_of(read({**spec, "inputs": {"x": ["n", 3], "m": ["n", 4]}})).derived)
    slope = program.definition[program.cotangent["Z"]]
    assert {e.tensor for test in slope.body.atoms(sp.LessThan) for e in entries(test)} == tested
    assert ("m" in slope.reads) == ("D" not in tested)


ELSEWHERE = {
    "gated": ({"A": "relu(Z)", "D": f"A * {GATE}"}, "sum(D * Z) + sum(D**2)"),
    "gated twice": (
        {"A": "relu(Z)", "D": f"2 * A * {GATE}", "E": "3 * A * where(Z > 1, 1, 0)"},
        "sum(D**2 * E)",
    ),
    "gated in other columns": (
        {"A": "relu(Z)", "D[n, k]": "A[n, k] * where(Z[n, 1] > 0, 1, 0)", "E[n, k]": "D[n, 3 - k] * A[n, k]"},
        "sum(E)",
    ),
    "another column": ({"A": "relu(Z)", "B[n]": "where(Z[n, 2] > 0, A[n, 0], 3*A[n, 1])"}, "sum(B)"),
    "transposed": ({"A[k, n]": "relu(Z[n, k])", "B[k, n]": "where(Z[n, k] > 0, A[k, n]**2, 1)"}, "sum(B)"),
    "one column": ({"A": "relu(Z)", "B[n,k]": "where(Z[n, 1] > 0, 2*A[n, k], 1)"}, "sum(B) + sum(A**2)"),
    "both parts": ({"A": "leaky_relu(Z)", "B": "where(Z > 0, A**2, x @ W)"}, "sum(B)"),
}  # fmt: skip


def numbers(equations: dict[str, str], loss: str, folder: Path, x: np.ndarray) -> list[Any]:
    spec = {**BASE, "targets": {}, "equations": {"Z": "x @ W", **equations}, "loss": loss}
    with by_rows():
        module = interpreted(written(spec, folder))
    params = module.unflatten(np.random.default_rng(3).normal(size=12))
    value, grads = module.loss_and_grad(params, x)
    return [value, *grads]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_it_changes_no_number(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    equations, loss = ELSEWHERE[name]
    x = np.random.default_rng(2).normal(size=(6, 3))
    x[2] = 0
    found = numbers(equations, loss, tmp_path, x)
    monkeypatch.setattr("symgrad.pipeline.choose_by_outputs", lambda program: program)
    for ours, theirs in zip(found, numbers(equations, loss, tmp_path, x), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_at_zero_and_at_nan_the_slope_is_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {
        "name": "kink",
        "dtype": "float64",
        "inputs": {name: ["n"] for name in "xuvw"},
        "equations": {"Z": "x * u - v * w", "A": "leaky_relu(Z, negative_slope=0.5)"},
        "loss": "sum(A)",
        "gradients": ["x"],
    }
    tiny = 5e-324  # half of it is 0, which is not above 0 either
    x = np.array([0.0, -0.0, 2.0, -2.0, tiny, -tiny, 1e200])
    far = np.where(np.arange(7) == 6, 1e200, 0)
    data = x, np.where(far > 0, far, 1), far, far
    module = interpreted(written(spec, tmp_path))
    with np.errstate(all="ignore"):
        assert np.isnan(module.forward((), *data)).tolist() == [False] * 6 + [True]
        slopes = module.input_gradients((), *data).x
        np.testing.assert_array_equal(slopes[:6], [0.5, 0.5, 1, 0.5, 1, 0.5])
        monkeypatch.setattr("symgrad.pipeline.choose_by_outputs", lambda program: program)
        module = interpreted(written(spec, tmp_path))
        np.testing.assert_array_equal(slopes, module.input_gradients((), *data).x)
