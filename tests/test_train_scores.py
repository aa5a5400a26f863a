"""Scores by name that training measures on held-out rows, and may stop by."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from stub_module import blobs, make_module, make_spec, quiet

import symgrad as sg
from symgrad.cli import main
from symgrad.errors import DataError, ModuleError, SymgradError
from symgrad.spec.model import CheckpointSpec, StopSpec
from symgrad.training.dataset.data import Dataset
from symgrad.training.resuming import newest
from symgrad.training.train import resume

if TYPE_CHECKING:
    from pathlib import Path

metrics = pytest.importorskip("sklearn.metrics")
NAMES = ["f1_macro", "neg_log_loss", "roc_auc_ovr", "balanced_accuracy"]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symgrad.training.run.plot_history", lambda *_: None)


def held_out() -> Dataset:
    return blobs(30, seed=3)


def expected(module: Any, params: Any, rows: Dataset) -> dict[str, float]:
    """By the functions that scikit-learn's scorers are made of."""
    x, t = rows.inputs["x"], rows.targets["t"]
    said = module.predict(params, x)
    taken = said.argmax(axis=1)
    return {
        "f1_macro": metrics.f1_score(t, taken, average="macro"),
        "neg_log_loss": -metrics.log_loss(t, said),
        "roc_auc_ovr": metrics.roc_auc_score(t, said, multi_class="ovr"),
        "balanced_accuracy": metrics.balanced_accuracy_score(t, taken),
    }


def test_scores_are_those_of_every_epoch_and_stand_in_the_history(tmp_path: Path) -> None:
    spec = make_spec(epochs=4, metrics=("f1_macro",))
    module = make_module(spec, learning_rate=0.01)
    seen = []

    def after_epoch(record: Any, params: Any) -> None:
        found = expected(module, params, held_out())
        assert dict(record.metrics) == pytest.approx(found, rel=1e-12)
        seen.append(found)

    run = quiet(spec, module, out=tmp_path, validation=held_out(), metrics=NAMES[1:], after_epoch=after_epoch)
    assert len(seen) == 4
    columns = run.history.columns()
    for name in NAMES:
        assert columns[f"validation_{name}"] == pytest.approx([found[name] for found in seen])
    with (tmp_path / "history.csv").open() as file:
        assert [float(row["validation_roc_auc_ovr"]) for row in csv.DictReader(file)] == columns[
            "validation_roc_auc_ovr"
        ]
    assert dict(run.named_metrics) == pytest.approx(seen[-1])
    assert run.as_dict()["metrics"].keys() == set(NAMES)
    assert f"held-out f1_macro {seen[-1]['f1_macro']:.4g}" in str(run)


@pytest.mark.parametrize("watch", ["neg_log_loss", "f1_macro", "accuracy"])
def test_training_stops_by_a_score_in_its_direction_and_keeps_the_best(watch: str) -> None:
    values = iter([0.3, 0.5, 0.4, 0.5, 0.45, 0.6, 0.7])  # a rise is a gain, whatever the loss does
    tried = iter([()] if watch == "accuracy" else [((watch, 0.0),)])
    spec = make_spec(epochs=7, stop=StopSpec(patience=3, watch=watch))

    def measured(*_: Any) -> Any:
        return next(tried, None) or ((watch, next(values)),)

    def score(_: Any, __: Any, rows: Dataset) -> float:
        return next(values) if watch == "accuracy" and rows.rows == held_out().rows else 0.0

    with pytest.MonkeyPatch.context() as patch:
        if watch == "accuracy":
            patch.setattr("symgrad.training.epochs.loop.score", score)
        else:
            patch.setattr("symgrad.training.scores.held_out_scores.named_scores", measured)
        run = quiet(spec, make_module(spec), validation=held_out())
    assert run.stop_reason == "no progress"
    assert (run.best_epoch, run.checkpoint.epoch, len(run.history.records)) == (2, 2, 5)
    assert f"the held-out {watch} made no progress any more" in str(run)


def test_a_score_that_is_watched_alone_keeps_the_best_epoch() -> None:
    spec = make_spec(epochs=6, stop=StopSpec(watch="neg_log_loss"))
    run = quiet(spec, make_module(spec, learning_rate=3.0), validation=held_out())
    found = [dict(record.metrics)["neg_log_loss"] for record in run.history.records]
    assert run.checkpoint.epoch == run.best_epoch == 1 + int(np.argmax(found))


def test_a_run_that_goes_on_watches_the_same(tmp_path: Path) -> None:
    plan: dict[str, Any] = {"epochs": 9, "validation": 0.3, "stop": StopSpec(patience=2, watch="f1_macro")}
    spec = make_spec(**plan, checkpoint=CheckpointSpec(epochs=1, keep=9))
    whole = quiet(spec, make_module(spec), metrics=["neg_log_loss"])
    module = make_module(spec)
    quiet(spec, module, metrics=["neg_log_loss"], epochs=2, out=tmp_path)
    file, orders = newest(tmp_path)
    assert orders.metrics == ["neg_log_loss"]
    run = resume(spec, module, tmp_path, file, orders, data=blobs(), epochs=9, progress=False)
    assert [{**vars(r), "seconds": 0} for r in run.history.records] == [
        {**vars(r), "seconds": 0} for r in whole.history.records
    ]
    assert run.best_epoch == whole.best_epoch


REFUSED: list[tuple[dict[str, Any], dict[str, Any], type[SymgradError], str]] = [
    (
        {},
        {"metrics": ["f1_makro"]},
        ModuleError,
        "f1_makro: scikit-learn has no metric 'f1_makro'; did you mean",
    ),
    ({}, {"metrics": ["log_loss"]}, ModuleError, "write neg_log_loss, as higher scores are better"),
    ({}, {"metrics": ["roc_auc"]}, ModuleError, "'roc_auc' does not fit: multi_class must be in"),
    ({}, {"metrics": "f1"}, SymgradError, "metrics is 'f1'; expected names"),
    ({}, {"metrics": [1]}, SymgradError, "expected names"),
    (
        {},
        {"metrics": ["f1_macro"], "validation": None},
        DataError,
        "there are none; hold some out: validation: 0.2",
    ),
    ({"stop": StopSpec(watch="nothing")}, {}, ModuleError, "scikit-learn has no metric 'nothing'"),
]


@pytest.mark.parametrize("case", REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_measured_is_refused_before_the_first_epoch(case: Any) -> None:
    plan, options, kind, problem = case
    spec = make_spec(**plan)
    module = make_module(spec)
    with pytest.raises(kind, match=problem):
        quiet(spec, module, **{"validation": held_out(), **options})
    assert not module.calls


def test_the_spec_says_what_is_measured_and_watched() -> None:
    spec = sg.read(
        "inputs: {x: [n, 2]}\ntargets: {t: [n, 1]}\nlayers: [dense(1)]\nloss: mse\n"
        "train: {metrics: [r2, neg_max_error], stop: {patience: 3, watch: r2}}\n"
    )
    assert spec.train.metrics == ("r2", "neg_max_error")
    assert spec.train.stop == StopSpec(patience=3, watch="r2")


def test_the_command_refuses_a_name_before_it_derives_anything(tmp_path: Path) -> None:
    file = tmp_path / "line.yaml"
    file.write_text("inputs: {x: [n, 2]}\ntargets: {t: [n, 1]}\nlayers: [dense(1)]\nloss: mse\n")
    options = ["train", str(file), "--data", "rows.csv", "--out", str(tmp_path / "run")]
    found = CliRunner().invoke(main, [*options, "--metric", "balanced_acuracy"])
    assert found.exit_code == 2
    assert "scikit-learn has no metric 'balanced_acuracy'; did you mean 'balanced_accuracy'?" in found.stderr
    assert not (tmp_path / "run").exists()
