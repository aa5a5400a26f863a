"""What training tells: metrics, history files, learning curves, progress lines."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from stub_module import make_module, make_spec

from symgrad.errors import DataError, SymgradError
from symgrad.spec.reader import read
from symgrad.training.dataset.data import Dataset
from symgrad.training.epochs.chosen_hyper import chosen_hyper
from symgrad.training.records.epoch_pace import EpochPace
from symgrad.training.records.history import EpochRecord, History
from symgrad.training.records.plot import history_figure, plot_history
from symgrad.training.records.progress import shown_progress
from symgrad.training.scores.metrics import evaluate, score
from symgrad.training.scores.named_labels import only_prediction
from symgrad.training.train import train


def predicting(task: str, prediction, loss: float = 0.5):
    module = make_module(make_spec(), task)
    module.predict = lambda params, x: np.array(prediction)
    module.loss = lambda params, x, t: loss
    return module


def with_target(target) -> Dataset:
    target = np.array(target)
    return Dataset({"x": np.zeros((len(target), 2))}, {"t": target}, "test")


PROBABILITIES = [[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.2, 0.5, 0.3], [0.9, 0.1, 0.0]]


@pytest.mark.parametrize(
    ("task", "prediction", "target", "accuracy"),
    [
        ("classes", PROBABILITIES, [0, 2, 1, 1], 0.75),
        ("classes", PROBABILITIES, [[0], [2], [1], [1]], 0.75),
        ("classes", PROBABILITIES, np.eye(3)[[0, 2, 0, 1]], 0.5),
        ("classes", [0, 2, 1, 0], [0, 2, 1, 1], 0.75),
        ("classes", [PROBABILITIES], [[0, 2, 1, 1]], 0.75),
        ("binary", [[0.9], [0.4], [0.6], [0.1]], [[1.0], [1.0], [1.0], [0.0]], 0.75),
        ("binary", [0.9, 0.4, 0.6, 0.1], [1, 1, 1, 0], 0.75),
        ("sign", [[2.0], [-0.5], [0.1], [0.0]], [[1.0], [-1.0], [-1.0], [-1.0]], 0.5),
    ],
)
def test_accuracy(task, prediction, target, accuracy):
    module, dataset = predicting(task, prediction), with_target(target)
    assert evaluate(module, None, dataset).accuracy == score(module, None, dataset) == accuracy


def test_r2_and_rmse_of_values():
    module, dataset = predicting("values", [[1.0], [2.0], [4.0]]), with_target([[1.0], [2.0], [3.0]])
    metrics = evaluate(module, None, dataset)
    assert metrics.r2 == score(module, None, dataset) == 0.5
    assert metrics.rmse == pytest.approx(math.sqrt(1 / 3))
    assert metrics.accuracy is None
    assert score(module, None, with_target([[2.0], [2.0], [2.0]])) is None


def test_what_cannot_be_compared_is_not_scored():
    assert score(predicting("values", [1.0, 2.0]), None, with_target([[1.0, 2.0], [3.0, 4.0]])) is None
    assert score(predicting("binary", 1.0), None, with_target([1.0])) is None
    several = predicting("values", [1.0])
    several.predict = lambda params, x: (np.ones((2, 2)), np.ones(()))
    assert evaluate(several, None, with_target([[1.0, 2.0], [3.0, 4.0]])).r2 is None
    with pytest.raises(DataError, match="has 2 outputs, and none of them is the prediction"):
        only_prediction(several, several.predict(None, None))
    without = Dataset({"x": np.zeros((2, 2))}, {}, "no target")
    assert score(predicting("values", [1.0, 2.0]), None, without) is None


def history(epochs: int = 3, validation: bool = True) -> History:
    held = [0.5 / epoch if validation else None for epoch in range(1, epochs + 1)]
    records = [EpochRecord(e, 1 / e, 0.5 + e / 10, held[e - 1], None, 0.25) for e in range(1, epochs + 1)]
    return History("sto$ck_[bold]", "accuracy", tuple(records))


def test_history_as_csv_and_json(tmp_path):
    history().write_csv(tmp_path / "h.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "h.csv").read_text())))
    assert list(rows[0]) == ["epoch", "loss", "accuracy", "validation_loss", "seconds"]
    assert [float(row["loss"]) for row in rows] == [1, 0.5, 1 / 3], "written to the last bit"
    history().write_json(tmp_path / "h.json")
    content = json.loads((tmp_path / "h.json").read_text())
    assert content["columns"]["validation_loss"] == [0.5, 0.25, 0.5 / 3]
    assert content["best_epoch"] == 3


def test_history_without_epochs_or_numbers():
    assert History("none", "r2", ()).best_epoch == 0
    strange = History("s", "r2", (EpochRecord(1, 1.0, -math.inf, None, None, 0.1),))
    assert strange.as_dict()["columns"]["r2"] == [None]
    json.dumps(strange.as_dict(), allow_nan=False)


@pytest.mark.parametrize("suffix", ["png", "svg"])
@pytest.mark.parametrize("validation", [True, False])
def test_learning_curves_are_drawn_without_pyplot(tmp_path, monkeypatch, suffix, validation):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    path = plot_history(history(40, validation), tmp_path / f"curves.{suffix}")
    start = path.read_bytes()[:5]
    assert start == (b"\x89PNG\r" if suffix == "png" else b"<?xml")
    if suffix == "svg":
        # The held-out curve is drawn only where it was measured: its colour is in the picture.
        assert ("#d1670e" in path.read_text()) is validation


@pytest.mark.parametrize("has_score", [True, False])
def test_legends_cover_nothing(has_score):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    score = 0.5 if has_score else None
    records = [EpochRecord(e, 1.0, score, 0.9, score, 0.1) for e in range(1, 1500)]
    records += [replace(records[-1], epoch=1500, validation_loss=0.5, iteration=1)]
    figure = history_figure(History("wide", "accuracy", tuple(records)))
    FigureCanvasAgg(figure).draw()
    title = figure._suptitle.get_window_extent()
    boxes = [axes.get_legend().get_window_extent() for axes in figure.axes]
    assert len(boxes) == 1 + has_score
    for axes, box in zip(figure.axes, boxes, strict=True):
        assert axes.get_window_extent().y1 <= box.y0
        assert box.y1 <= title.y0
        assert box.x1 <= figure.bbox.x1
        assert not [other for other in boxes if other is not box and other.overlaps(box)]


@pytest.mark.parametrize("loss", [1e308, 0.0, -1e308])
def test_learning_curves_of_wild_losses_are_drawn(tmp_path, loss):
    records = tuple(EpochRecord(e, value, -1e300, None, None, 0.1) for e, value in [(1, 1e-9), (2, loss)])
    assert plot_history(History("wild", "r2", records), tmp_path / "wild.png")
    assert plot_history(History("wild", "r2", records[1:]), tmp_path / "wild.png")


def test_a_plot_that_cannot_be_made_is_refused_or_left_out(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"try \.png"):
        plot_history(history(), tmp_path / "curves.docx")
    with pytest.raises(DataError, match="no epochs"):
        plot_history(History("none", "r2", ()), tmp_path / "curves.png")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    spec = make_spec()
    data = Dataset({"x": np.ones((4, 2))}, {"t": np.array([0, 1, 2, 0])}, "four")
    run = train(spec, make_module(spec), data=data, out=tmp_path / "run", progress=False)
    assert "matplotlib is not installed" in str(run)
    assert [path.name for path in run.paths] == [
        "checkpoint.npz",
        "history.csv",
        "history.jsonl",
        "history.json",
    ]


def test_what_matplotlib_logs_stays_out_of_stderr(tmp_path):
    """Without a folder of its own it logs a warning, as it does while it builds its font cache."""
    (tmp_path / "file").write_text("")
    nowhere = {**os.environ, "MPLCONFIGDIR": str(tmp_path / "file" / "below")}
    program = "import symgrad.training.records.plot; from matplotlib.figure import Figure"
    run = subprocess.run(
        [sys.executable, "-c", program], env=nowhere, capture_output=True, text=True, check=True
    )
    assert run.stderr == ""


def test_progress_in_a_pipe_is_a_few_plain_lines_on_stderr(capsys):
    spec = make_spec(validation=0.5, epochs=101)
    data = Dataset({"x": np.ones((8, 2))}, {"t": np.array([0, 1, 2, 0] * 2)}, "eight")
    train(spec, make_module(spec), data=data)
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == ""
    assert "\x1b" not in captured.err
    assert 10 <= len(lines) <= 13
    assert lines[0].startswith("epoch 1/101  loss ")
    assert lines[-1].startswith("epoch 101/101  ")
    assert "held-out accuracy" in lines[-1]
    train(spec, make_module(spec), data=data, progress=False)
    assert capsys.readouterr().err == ""


def test_a_log_of_long_epochs_is_not_silent_for_minutes():
    log = io.StringIO()
    with shown_progress(1000, "r2", console=Console(file=log)) as report:
        for epoch in range(1, 8):
            report(EpochRecord(epoch, 1.0, None, None, None, 25.0))
    assert [line.split("/")[0] for line in log.getvalue().splitlines()] == ["epoch 1", "epoch 4", "epoch 7"]


def test_a_run_says_that_an_earlier_epoch_was_better_on_the_rows_held_out():
    spec = make_spec(validation=0.5, epochs=3)
    data = Dataset({"x": np.ones((8, 2))}, {"t": np.array([0, 1, 2, 0] * 2)}, "eight")
    run = train(spec, make_module(spec), data=data, progress=False)
    records = tuple(
        EpochRecord(e, 1.0, None, loss, None, 0.1) for e, loss in [(1, 0.5), (2, 0.25), (3, 0.75)]
    )
    told = replace(run, history=History("s", "accuracy", records), best_epoch=2)
    assert "least held-out loss 0.25 in epoch 2;" in str(told)
    assert "least" not in str(replace(told, best_epoch=3))


@pytest.mark.parametrize(
    ("seconds", "told"), [([8.0, 0.001], "1,000"), ([8.0], "0.12"), ([8.0, 0.001, 0.002], "500")]
)
def test_the_first_epoch_does_not_slow_the_steps_down(seconds, told):
    spec = make_spec(epochs=1)
    data = Dataset({"x": np.ones((8, 2))}, {"t": np.array([0, 1, 2, 0] * 2)}, "eight")
    run = train(spec, make_module(spec), data=data, progress=False)
    records = tuple(EpochRecord(e, 1.0, None, None, None, s) for e, s in enumerate(seconds, 1))
    run = replace(run, history=History("s", "accuracy", records), steps_per_epoch=1)
    assert f"\n{told} steps per second in the median epoch" in str(run)


@pytest.mark.parametrize("no_color", [True, False])
def test_progress_at_a_terminal_is_a_bar(monkeypatch, no_color):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=160)
    with shown_progress(3, "r2", console=console) as report:
        for record in history().records:
            report(record)
    text = screen.getvalue()
    assert "3/3" in text
    assert "held-out loss 0.1667" in text
    assert "R² 0.8" in text
    assert ("\x1b[38;5" in text) is not no_color


@pytest.mark.parametrize("hyper", [{5: 0.1}, "x", [], {"learning_rate": 10**400}, {"learning_rate": None}])
def test_hyper_parameters_are_numbers_by_name(hyper) -> None:
    own = {"inputs": {"x": ["n", 2]}, "targets": {"t": ["n", 1]}, "layers": ["dense(1)"], "loss": "mse"}
    with pytest.raises(SymgradError, match=r"expected (numbers by name|a finite number)"):
        chosen_hyper(read(own), hyper)


@pytest.mark.parametrize(
    ("seconds", "epochs", "said"),
    [
        (0.5, 100, "2.0 epochs/s, 0:40 left"),
        (0.001, 20, "1,000 epochs/s, 0:00 left"),
        (90.0, 100, "90 s/epoch, 2:00:00 left"),
        (2.0, 20, "2.0 s/epoch, 0:00 left"),
    ],
)
def test_the_pace_of_epochs_is_told_with_the_time_left(seconds: float, epochs: int, said: str) -> None:
    now = iter([200.0 + n * seconds for n in range(20)])
    pace = EpochPace(epochs, lambda: next(now))
    assert str(pace) == ""
    for epoch in range(1, 21):
        pace.note(epoch)
        if epoch == 1:
            assert pace.seconds_left is None
    assert str(pace) == said


def test_a_run_that_goes_on_has_the_pace_of_its_own_epochs() -> None:
    now = iter([0.0, 4.0])
    pace = EpochPace(100, lambda: next(now))
    pace.note(61)
    pace.note(62)
    assert str(pace) == "4.0 s/epoch, 2:32 left"
