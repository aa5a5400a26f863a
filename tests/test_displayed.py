"""Results are short among other values, and whole in a notebook."""

from __future__ import annotations

from typing import Any

import pytest
from building import interpreted, written

import symgrad as sg

SPEC: dict[str, Any] = {
    "name": "line",
    "inputs": {"x": ["n", 1]},
    "targets": {"t": ["n", 1]},
    "layers": ["dense(1)"],
    "loss": "mse",
    "train": {"epochs": 30},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("line")
    module = interpreted(written(SPEC, folder))
    data = {"x": [[0.0], [1], [2], [3]], "t": [[1.0], [3], [5], [7]]}
    run = sg.train(SPEC, module, data=data, progress=False)
    return {
        "run": run,
        "history": run.history,
        "summary": sg.summary(SPEC),
        "derivation": sg.derive(SPEC),
        "graph": sg.graph(SPEC),
        "evaluation": sg.evaluate(run, data),
    }


@pytest.mark.parametrize("kind", ["run", "history", "summary", "derivation", "graph", "evaluation"])
def test_a_result_is_short_among_other_values(kind: str, results: dict[str, Any]) -> None:
    shown = repr([results[kind]])
    assert "\n" not in shown
    assert len(shown) < 150
    assert type(results[kind]).__name__ in shown


def test_notebooks_show_all_of_it(results: dict[str, Any]) -> None:
    shown = {name: result._repr_mimebundle_() for name, result in results.items() if name != "derivation"}
    assert all(bundle["text/plain"] == str(results[name]) for name, bundle in shown.items())
    assert "<svg" in shown["run"]["image/svg+xml"]
    assert "x·W1 + b1" in shown["summary"]["text/html"]
    assert "R²" in shown["evaluation"]["text/html"]


def test_a_history_tells_its_first_and_last_epochs(results: dict[str, Any]) -> None:
    lines = str(results["history"]).splitlines()
    assert lines[0].startswith("line: 30 epochs, best 30")
    assert lines[1].split()[:2] == ["epoch", "loss"]
    assert [line.split()[0] for line in lines[2:]] == [
        *map(str, range(1, 11)),
        "...",
        *map(str, range(21, 31)),
    ]
