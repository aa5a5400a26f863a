"""Gradient descent as a process: what a batch is, when batches are drawn, when it ends, what it shows."""

from __future__ import annotations

import numpy as np
import pytest
from building import interpreted, written

from symgrad.spec.reader import read
from symgrad.training.dataset.data import Dataset
from symgrad.training.records.plot import plot_history
from symgrad.training.train import train

ROWS = 12
X = np.arange(ROWS, dtype=float)[:, None] / ROWS
DATA = Dataset({"x": X}, {"t": 2 * X - 1}, "a line")


def spec(**changes):
    train = {"optimizer": "sgd(learning_rate=0.5)", "epochs": 4, **changes}
    return {
        "name": "line",
        "dtype": "float64",
        "inputs": {"x": ["batch", 1]},
        "targets": {"t": ["batch", 1]},
        "layers": ["dense(1, init=zeros)"],
        "loss": "mse",
        "train": train,
    }


@pytest.fixture
def run(tmp_path):
    """Train a spec with the changes given; the batches of rows, epoch by epoch, are noted."""

    def trained(data=DATA, options=None, **changes):
        given = read(spec(**changes))
        module = interpreted(written(spec(**changes), tmp_path))
        gather, epoch, seen = module._gather, module._epoch, []

        def note_epoch(*arguments):
            seen.append([])
            return epoch(*arguments)

        def note_rows(array, order, start, count, *rest):
            if np.array_equal(array, data.inputs["x"].reshape(-1)):
                seen[-1].append(tuple(order[start : start + count].tolist()))
            return gather(array, order, start, count, *rest)

        module._epoch, module._gather = note_epoch, note_rows
        return train(given, module, data=data, progress=False, **(options or {})), seen

    return trained


@pytest.mark.parametrize(("size", "steps"), [("full", 1), (1, 12), (5, 3), (100, 1)])
def test_batch_online_and_mini_batch(run, size, steps):
    found, seen = run(batch_size=size)
    assert found.steps_per_epoch == steps
    assert found.checkpoint.state.step[0] == 4 * steps
    assert [len(batches) for batches in seen] == [steps] * 4
    for batches in seen:
        assert sorted(row for batch in batches for row in batch) == list(range(ROWS))
        assert all(len(batch) == min(size, ROWS) for batch in batches[:-1] if size != "full")


def test_batches_are_drawn_once_anew_or_never(run):
    _, once = run(batch_size=5, shuffle="once")
    assert once == [once[0]] * 4
    assert once[0] != [tuple(range(5)), tuple(range(5, 10)), (10, 11)]
    _, anew = run(batch_size=5, shuffle="each_epoch")
    assert len({tuple(batches) for batches in anew}) == 4
    _, never = run(batch_size=5, shuffle="never")
    assert never == [[tuple(range(5)), tuple(range(5, 10)), (10, 11)]] * 4


def test_it_ends_when_the_objective_has_converged_at_the_minimum(run):
    found, _ = run(batch_size="full", epochs=5000, stop={"tolerance": 1e-9})
    assert found.stop_reason == "converged"
    assert len(found.history.records) < 5000
    np.testing.assert_allclose([found.params.W1.item(), found.params.b1.item()], [2, -1], atol=1e-2)


def test_it_ends_with_its_epochs_or_its_time(run):
    found, _ = run(batch_size=4)
    assert (found.stop_reason, len(found.history.records)) == ("epochs", 4)
    found, _ = run(batch_size=4, epochs=10**6, stop={"time_limit": 0.05})
    assert found.stop_reason == "time limit"
    assert found.seconds < 5


def test_a_schedule_runs_over_the_epochs_that_are_trained(run):
    """`train --epochs 2` shortens a schedule that the spec stretches over four epochs."""
    short, _ = run(batch_size="full", schedule="polynomial", options={"epochs": 2})
    planned, _ = run(batch_size="full", schedule="polynomial", epochs=2)
    half, _ = run(batch_size="full", schedule="polynomial(total=4)", options={"epochs": 2})
    assert short.params.W1.item() == planned.params.W1.item() != half.params.W1.item()


def test_the_learning_graph_shows_both_parts(run, tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    found, _ = run(batch_size=4, validation=0.25)
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        picture = plot_history(found.history, tmp_path / "curves.svg")
    text = picture.read_text(encoding="utf-8")
    for label in ("line: learning curves", "training", "held-out", "epoch", "loss", "best epoch: "):
        assert f">{label}" in text
    columns = found.history.columns()
    assert len(columns["loss"]) == len(columns["validation_loss"]) == 4
