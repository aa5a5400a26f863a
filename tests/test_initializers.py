"""Ones, identities, orthogonal matrices, cut normal numbers as first values; what the judge sees of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from building import interpreted, written
from scipy import stats

from symgrad.errors import SpecError
from symgrad.pipeline import stages_of
from symgrad.spec.reader import read
from symgrad.verifier.behaviour.drawn_values import first_values
from symgrad.verifier.trials.behaviour_case import DrawnParameter


def spec(init: str, axes: tuple[int, ...]) -> dict[str, Any]:
    letters = "ijk"[: len(axes)]
    formula = f"sum(W[{', '.join(letters)}]**2, {', '.join(letters)})"
    return {
        "inputs": {"x": ["batch"]},
        "parameters": {"W": {"axes": [*axes], "init": init}},
        "equations": {"s": formula, "y[n]": "x[n] * s"},
        "loss": "mean(y**2)",
    }


def drawn(init: str, axes: tuple[int, ...], tmp_path: Any, seeds: int) -> np.ndarray:
    module = interpreted(written(spec(init, axes), tmp_path))
    return np.array([module.init_params(seed).W for seed in range(seeds)], np.float64)


@pytest.mark.parametrize("axes", [(4, 4), (5, 3), (2, 6), (3, 2, 4), (1, 3), (2, 1)])
def test_orthogonal_matrices_are_those_of_pytorch_but_that_outputs_come_last(axes, tmp_path):
    matrices = drawn("orthogonal(gain=2)", axes, tmp_path, 40).reshape(40, -1, axes[-1])
    rows, columns = matrices.shape[1:]
    turned = matrices if rows <= columns else matrices.transpose(0, 2, 1)
    expected = np.broadcast_to(4 * np.eye(min(rows, columns)), (40, min(rows, columns), min(rows, columns)))
    np.testing.assert_allclose(turned @ turned.transpose(0, 2, 1), expected, atol=1e-5)
    assert len(np.unique(matrices[:, 0, 0].round(5))) > 1


def test_all_orthogonal_matrices_are_as_likely(tmp_path):
    """The eigenvalues of uniform rotations repel one another: the mean of the squared trace is 1."""
    traces = drawn("orthogonal", (3, 3), tmp_path, 600).trace(axis1=1, axis2=2)
    assert abs(traces.mean()) < 0.25
    assert abs((traces**2).mean() - 1) < 0.35


def test_a_cut_normal_distribution_is_that_of_scipy(tmp_path):
    values = drawn("truncated_normal(std=0.5)", (40, 50), tmp_path, 2).ravel()
    assert stats.kstest(values / 0.5, stats.truncnorm(-2, 2).cdf).pvalue > 1e-4
    assert np.abs(values).max() <= 1


def test_ones_and_identities(tmp_path):
    assert (drawn("ones", (2, 3), tmp_path, 1) == 1).all()
    np.testing.assert_array_equal(drawn("identity(gain=3)", (2, 3), tmp_path, 1)[0], 3 * np.eye(2, 3))


@pytest.mark.parametrize(
    ("init", "axes", "message"),
    [
        ("identity", (3,), r"identity first values of 'W', which is \[3\]"),
        ("identity", (2, 2, 2), r"identity first values of 'W', which is \[2, 2, 2\]"),
        ("orthogonal", (3,), r"orthogonal first values of 'W', which is \[3\]; write zeros"),
        ("orthogonal(gain=0)", (3, 3), "gain"),
        ("truncated_normal(std=-1)", (3, 3), "std"),
        ("orthogonl", (3, 3), "did you mean 'orthogonal'"),
    ],
)
def test_what_is_no_matrix_is_refused(init, axes, message):
    with pytest.raises(SpecError, match=message):
        stages_of(read(spec(init, axes))).starts  # noqa: B018  # a stage is made when it is asked for


FAULTS = {
    "orthogonal": [
        ("q *= np.where(np.diag(r) < 0, -1.0, 1.0)", "q *= 1.001"),
        ("rng.normal(size=(max(rows, columns), min(rows, columns)))", "np.eye(rows, columns)"),
    ],
    "truncated_normal(std=0.5)": [("> 2 * deviation", "> 3 * deviation"), ("> 2 * deviation", "> deviation")],
    "identity": [(".ravel()  # W", ".ravel()[::-1]  # W")],
    "ones": [("= 1.0  # W", "= 1.1  # W")],
}


@pytest.mark.parametrize("init", FAULTS)
def test_the_judge_sees_wrong_first_values(init, tmp_path):
    name = init.partition("(")[0]
    kind, scale = ("constant", 1.0) if name == "ones" else (name, 0.5 if "0.5" in init else 1.0)
    for n, (old, new) in enumerate([("", ""), *FAULTS[init]]):
        (folder := tmp_path / str(n)).mkdir()

        def edit(text: str, old: str = old, new: str = new) -> str:
            assert old in text
            return text.replace(old, new) if old else text

        module = interpreted(written(spec(init, (4, 3)), folder, edit))
        bench = Bench(module, DrawnParameter("W", (4, 3), kind, scale))
        assert bool(list(first_values(bench))) == bool(old), (old, new)


class Bench:
    """What of a bench the check of first values reads."""

    def __init__(self, module: Any, block: DrawnParameter) -> None:
        self.module, self.case = module, self
        self.blocks = (block,)
        assert math.prod(block.shape)
