"""A training that ends worse than a mean would: said where the size of numbers is the cause."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from sklearn.compose import TransformedTargetRegressor
from sklearn.preprocessing import StandardScaler

import symgrad as sg
from symgrad.judgement import ready_modules
from symgrad.sklearn import Regressor
from symgrad.training.scores.unreached import unreached

if TYPE_CHECKING:
    from pathlib import Path

HOUSES = {
    "name": "houses",
    "inputs": {"x": ["batch", 2]},
    "targets": {"price": ["batch", 1]},
    "layers": ["dense(4, activation=relu)", "dense(1)"],
    "loss": "mse",
    "train": {"optimizer": "adam(learning_rate=0.01)", "epochs": 60, "batch_size": 8},
}


def houses(unit: float) -> dict[str, Any]:
    """Areas and ages, near 1, and prices of 1e5 to 1e6 in a unit."""
    random = np.random.default_rng(3)
    area, age = random.uniform(0.5, 2.0, 64), random.uniform(0.0, 1.0, 64)
    price = 4e5 * area - 1e5 * age + random.normal(0.0, 1e4, 64)
    return {"area": area, "age": age, "price": price / unit}


def said(folder: Path, data: Any, **train: Any) -> list[str]:
    """The warnings of a training."""
    spec = {**HOUSES, "train": {**HOUSES["train"], **train}}
    module = interpreted(written(spec, folder))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sg.train(spec, module, data=data, progress=False)
    return [str(found.message) for found in caught if "worse than the mean" in str(found.message)]


def test_a_large_target_is_named_with_its_remedy(tmp_path: Path) -> None:
    (found,) = said(tmp_path, houses(1.0))
    assert "R² is -" in found
    assert "the target 'price' has numbers up to" in found
    assert "divide it by 1,000,000 in the data" in found
    assert said(tmp_path, houses(1e6)) == []


def test_a_large_input_is_named_too(tmp_path: Path) -> None:
    data = {name: values * (1e4 if name == "area" else 1.0) for name, values in houses(1e6).items()}
    (found,) = said(tmp_path, data, epochs=1)
    assert "the input 'x' has numbers up to" in found
    assert "`standardize: true`" in found
    assert said(tmp_path, data, epochs=40, standardize=True) == []


def test_a_short_training_on_numbers_near_1_is_nobodys_fault(tmp_path: Path) -> None:
    assert said(tmp_path, houses(1e5), epochs=1) == []


def test_numbers_whose_squares_are_infinite_have_a_size() -> None:
    remedies = ("divide by {}", "scale")
    far = np.array([[1e200], [-1e200]])
    found = unreached(-1.0, ("t", far), {}, at="here", remedies=remedies)
    assert found is not None
    assert found.remedy == "divide by 1e200"
    assert unreached(-1.0, ("t", far / 1e200), {"x": far}, at="here", remedies=remedies) is not None
    assert unreached(float("nan"), ("t", far), {"x": far}, at="here", remedies=remedies) is None


def test_estimators_say_it_in_scikit_learns_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    monkeypatch.setattr(ready_modules, "cached_module", lambda spec, _: sg.build(spec, identity=False))
    monkeypatch.setattr(ready_modules, "_MODULES", {})
    table = houses(1.0)
    X, y = np.column_stack([table["area"], table["age"]]), table["price"]
    model = Regressor(hidden=(4,), epochs=40, learning_rate=0.01, random_state=0)
    with pytest.warns(sg.DataWarning, match=r"the target 'y' has.*TransformedTargetRegressor") as caught:
        model.fit(X, y)
    assert caught[0].filename == __file__
    scaled = TransformedTargetRegressor(model, transformer=StandardScaler()).fit(X, y)
    assert scaled.score(X, y) > 0.9
