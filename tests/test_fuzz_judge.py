"""The judges of random specs: what they must not take for wrong, and what they must."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from fuzz import extremes, kinks
from fuzz.gradients import differs, module_of
from fuzz.jets import Jet, series, slopes, values
from fuzz.judge import judge
from fuzz.meaning import meaning
from fuzz.repeated import Block, Call, is_joined_alike


def kink(formula: str) -> dict[str, Any]:
    """A formula of two numbers."""
    about = {"inputs": {"x": [], "y": []}, "gradients": ["x", "y"], "dtype": "float64"}
    return {"name": "kinks", **about, "equations": {"f": formula}, "loss": "f"}


def outcomes(spec: dict[str, Any]) -> set[str]:
    """What the judge of kinks says at some draws of points."""
    with np.errstate(all="ignore"):
        return {kinks.judge_kinks(spec, Random(seed), by_rows=False).kind for seed in range(12)}


@pytest.mark.parametrize("formula", ["abs(x*y - (x + y))**y", "x*log(abs(y))", "abs(x)**0.9 + y"])
def test_a_slope_that_is_infinite_in_truth_is_no_failure(formula: str) -> None:
    """Near the point it is the logarithm of the distance, or a small power of it: no large number."""
    assert outcomes(kink(formula)) <= {"right", "unsound"}


def test_a_kink_without_a_slope_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(spec: dict[str, Any], by_rows: bool) -> Any:
        module = module_of(spec, by_rows)
        gradients = module.input_gradients
        module.input_gradients = lambda _, x, y: gradients(_, x, y) if x else (np.nan, 0.0)
        return module

    spec = kink("abs(x)*y + x")
    assert outcomes(spec) == {"right"}
    monkeypatch.setattr(kinks, "module_of", planted)
    assert "no slope at a kink" in outcomes(spec)


EXP = [1.0, 1.0, 1 / 2, 1 / 6]


@pytest.mark.parametrize("x", [0.0, 1e-300, 1e-9, 1.0, 45.0, -45.0, -600.0])
def test_the_series_of_an_exponential_is_exact_where_it_is_tiny(x: float) -> None:
    assert np.allclose(series("exp", x, 3), np.exp(x) * np.array(EXP), rtol=1e-14, atol=0)


@pytest.mark.parametrize("x", [1e-50, 1e-9, 1.0, 3e19, 1e50])
def test_the_series_of_an_inverse_is_exact_at_every_size(x: float) -> None:
    powers = [1 / x, -1 / x**2, 1 / x**3, -1 / x**4]
    assert np.allclose(series("inverse", x, 3), powers, rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", ["inverse", "log", "sqrt"])
def test_a_series_has_no_slope_at_a_singular_point(name: str) -> None:
    assert np.isnan(series(name, 0.0, 2)[1:]).all()


@pytest.mark.parametrize("shift", [-300.0, -45.0, 45.0, 300.0])
def test_jets_of_a_softmax_do_not_depend_on_a_shift(shift: float) -> None:
    """The text of a softmax is exp(x)/sum(exp(x)): what is far from 1 in between is not 0."""
    weights = []
    for moved in (0.0, shift):
        scores = [Jet({0: z + moved, 1: slope}) for z, slope in ((1.0, 2.0), (0.5, -1.0), (-2.0, 3.0))]
        powers = np.array([z.exp() for z in scores])
        weights.append(powers / powers.sum())
    for of in (values, lambda jets: values(slopes(jets, 1))):
        assert np.allclose(of(weights[1]), of(weights[0]), rtol=1e-12, atol=0)


def test_a_word_is_no_tensor_of_that_name() -> None:
    """padding=same, beside a tensor `same`."""
    spec = {
        "name": "layered",
        "inputs": {"same": ["batch", 4, 1]},
        "equations": {"h": "conv1d(same, 1, kernel=3, padding=same)"},
        "loss": "mean(h**2)",
    }
    assert judge(spec, Random(0)).kind == "right"


def test_rows_are_those_of_the_free_axis() -> None:
    """Not those of a table of fixed size that stands before."""
    spec = {
        "name": "derived",
        "dtype": "float64",
        "inputs": {"A": [9, 2], "x": ["n", 2]},
        "parameters": {"w": {"axes": [2], "init": "normal(std=1)"}},
        "equations": {"y": "x @ w"},
        "loss": "mean(y**2) + 0 * sum(A)",
        "derive": ["per_sample"],
    }
    assert judge(spec, Random(0)).kind == "right"


@pytest.mark.parametrize(("inner", "is_alike"), [("layout=channels_first", True), ("", False)])
def test_a_concat_of_both_layouts_is_not_drawn(inner: str, is_alike: bool) -> None:
    """A chain refuses it: nobody knows which channels are joined."""
    parts = (Call("batch_norm2d", inner), Call("squeeze_excite", "layout=channels_first"), Call("gelu", ""))
    assert is_joined_alike((Block("concat", parts),)) is is_alike


def test_a_value_lost_far_out_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {
        "name": "extremes",
        "dtype": "float64",
        "inputs": {"x": ["n"]},
        "equations": {"f": "sin(atan(x))"},
        "loss": "sum(f)",
        "gradients": ["x"],
    }
    assert judge(spec, Random(0)).kind == "right"
    lost = {**spec, "equations": {"f": "x / sqrt(1 + x**2)"}}
    monkeypatch.setattr(extremes, "module_of", lambda _, by_rows: module_of(lost, by_rows))
    assert judge(spec, Random(0)).kind == "lost value"


def test_a_slope_is_held_to_the_worst_way_of_rounding() -> None:
    """One way may be exact by luck, as where a mean is taken away from what has it."""
    right, off = np.array([0.0, 1e-3]), np.array([4e-13, 1e-3])
    lucky, other = right + 1e-17, right + 1e-15
    assert differs(off, right, [lucky], 1e-11)
    assert not differs(off, right, [lucky, other], 1e-11)
    assert differs(off * 10, right, [lucky, other], 1e-11)


def test_a_way_of_rounding_moves_what_equations_give_by_a_last_place() -> None:
    spec = {"inputs": {"x": [2]}, "equations": {"h": "2 * x", "f": "h - x"}, "loss": "sum(f**2)"}
    arrays = {"x": np.array([0.3, 0.7])}
    plain, moved = (
        meaning(spec, arrays, {"x": np.arange(2)}, np.complex128, way)
        for way in (None, np.random.default_rng(0))
    )
    assert 0 < abs(moved.loss - plain.loss) < 1e-14
    assert 0 < np.abs(moved.gradient["x"] - plain.gradient["x"]).max() < 1e-14
