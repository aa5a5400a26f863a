"""Results are short among other values, and whole in a notebook."""

from __future__ import annotations

import io
import math
import re
import sys
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from building import interpreted, written

import symgrad as sg
from symgrad.displayed import notebook_display
from symgrad.prediction.evaluation import ClassScores, EvaluationReport
from symgrad.training.records.history import EpochRecord
from symgrad.training.records.live_curve import LiveCurve
from symgrad.training.scores.metrics import Metrics

if TYPE_CHECKING:
    from pathlib import Path

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
    module.save(folder / "line.npz", run.params, epoch=30)
    trained = module.load(folder / "line.npz")
    return {
        "spec": sg.read(SPEC),
        "stages": sg.stages(SPEC),
        "checkpoint": run.checkpoint,
        "trained": trained,
        "run": run,
        "history": run.history,
        "summary": sg.summary(SPEC),
        "derivation": sg.derive(SPEC),
        "graph": sg.graph(SPEC),
        "evaluation": sg.evaluate(run, data),
    }


def test_results_are_short_among_other_values(results: dict[str, Any]) -> None:
    for result in results.values():
        shown = repr([result])
        assert "\n" not in shown
        assert len(shown) < 150
        assert shown.startswith(f"[<{type(result).__name__}")


def test_notebooks_show_all_of_it(results: dict[str, Any]) -> None:
    shown = {name: result._repr_mimebundle_() for name, result in results.items() if name != "trained"}
    for name, bundle in shown.items():
        assert bundle["text/plain"] == str(results[name])
        assert {"text/html", "text/markdown"} & bundle.keys()
        assert "<?xml" not in bundle.get("text/html", "")
        if "text/html" in bundle:
            ElementTree.fromstring(f"<div>{bundle['text/html'].replace('&nbsp;', ' ')}</div>")
    for name in ("run", "history"):
        assert shown[name]["image/svg+xml"] in shown[name]["text/html"]
    assert "dense(1)" in shown["spec"]["text/html"]
    assert "x·W1 + b1" in shown["summary"]["text/html"]
    assert "R²" in shown["evaluation"]["text/html"]
    assert shown["derivation"].keys() == {"text/plain", "text/html", "text/latex", "text/markdown"}


def test_errors_of_classes_are_drawn() -> None:
    classes = (ClassScores("no", 3, 1.0, 1.0), ClassScores("yes", 2, 0.5, 0.5))
    report = EvaluationReport("net", "data.csv", Metrics(5, 0.1, 0.8), classes, ((3, 0), (1, 1)))
    bundle = report._repr_mimebundle_()
    assert bundle["image/svg+xml"] in bundle["text/html"]


def test_a_training_shows_itself_in_a_notebook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One output per training: first a bar, at last the whole curve, and nothing on stderr."""
    shown: list[Any] = []

    class Handle:
        def update(self, curve: Any) -> None:
            shown.append(curve)

    def display(curve: Any, display_id: bool) -> Handle:
        assert display_id
        assert not shown
        shown.append(curve)
        return Handle()

    shell = SimpleNamespace(kernel=None)
    ipython = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    module = interpreted(written(SPEC, tmp_path))
    sg.train(SPEC, module, data={"x": [[0.0], [1], [2], [3]], "t": [[1.0], [3], [5], [7]]})
    assert not stderr.getvalue()
    assert shown[0].records[-1].epoch == 1
    assert len(shown[-1].records) == 30
    assert str(shown[-1]).startswith("epoch 30/30  loss ")
    page = shown[-1]._repr_mimebundle_()["text/html"]
    assert "<path" in page
    ElementTree.fromstring(f"<div>{page}</div>")
    del shell.kernel
    assert notebook_display() is None


def test_a_live_curve_draws_every_number_that_can_be_drawn() -> None:
    losses = [math.inf, 1e40, 3.0, math.nan, 2.0, 1.0] * 200
    records = [EpochRecord(n + 1, loss, None, None, None, 0.1) for n, loss in enumerate(losses)]
    curve = LiveCurve(2000, records, "")
    assert len(curve.svg()) < 20_000
    root = ElementTree.fromstring(curve.svg().replace("&#160;", " "))
    path = root.findall("path")[1].attrib["d"]
    numbers = [float(n) for n in re.findall(r"[\d.]+", path)]
    assert all(56 <= x <= 480 for x in numbers[::2])
    assert all(18 <= y <= 132 for y in numbers[1::2])
    assert LiveCurve(2000, records[:1], "").svg() == ""
    same = [EpochRecord(n + 1, 0.0, None, 0.0, None, 0.1) for n in range(3)]
    assert "held-out" in LiveCurve(3, same, "").svg()


def test_a_history_tells_its_first_and_last_epochs(results: dict[str, Any]) -> None:
    lines = str(results["history"]).splitlines()
    assert lines[0].startswith("line: 30 epochs, best 30")
    assert lines[1].split()[:2] == ["epoch", "loss"]
    assert [line.split()[0] for line in lines[2:]] == [
        *map(str, range(1, 11)),
        "...",
        *map(str, range(21, 31)),
    ]
