"""The judges of random specs: what they must not take for wrong, and what they must."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from fuzz import kinks
from fuzz.gradients import module_of


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
