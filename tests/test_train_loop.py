"""Training a hand-written module: reproducible, split fairly, measured, refused where it cannot be right."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from stub_module import AT, ROWS, blobs, make_module, make_spec, quiet, vector

from symgrad.errors import DataError, ModuleError, SymgradError
from symgrad.spec.model import DataSpec
from symgrad.training.dataset.data import Dataset
from symgrad.training.epochs import loop as loop_of
from symgrad.training.epochs.loop import scored_sample
from symgrad.training.scores.metrics import Metrics
from symgrad.training.split import measure, prepare, split
from symgrad.training.train import train


@pytest.mark.parametrize("shuffle", ["each_epoch", "once", "never"])
def test_the_same_seed_gives_the_same_bits(shuffle):
    spec = make_spec(shuffle=shuffle, validation=0.2)
    first, again = (quiet(spec, make_module(spec), seed=5) for _ in range(2))
    assert vector(first).tobytes() == vector(again).tobytes()
    assert first.history.columns()["loss"] == again.history.columns()["loss"]
    assert vector(quiet(spec, make_module(spec), seed=6)).tobytes() != vector(first).tobytes()


def test_training_learns_and_reports():
    spec = make_spec(validation=0.25, epochs=20)
    run = quiet(spec, make_module(spec))
    assert run.validation.rows == 11
    assert run.training.rows == ROWS - 11
    assert run.validation.accuracy > 0.8
    losses = run.history.columns()["loss"]
    assert losses[-1] < losses[0] / 2
    assert run.stop_reason == "epochs"
    assert run.steps_per_epoch == 4
    assert run.steps_per_second > 0
    report = json.loads(json.dumps(run.as_dict(), allow_nan=False))
    assert report["validation"]["accuracy"] == run.validation.accuracy
    assert report["epochs"] == len(report["history"]["loss"]) == 20
    shown = replace(run, validation=Metrics(359, 0.1, accuracy=0.97215))
    assert "held-out accuracy 0.9721 (359 rows)" in str(shown)


def test_every_epoch_is_one_call_with_its_number_and_a_permutation():
    spec = make_spec(epochs=3)
    module = make_module(spec)
    quiet(spec, module, batch_size=10)
    assert [call[:3] for call in module.calls] == [(epoch, 10, ROWS) for epoch in range(3)]
    orders = [call[3] for call in module.calls]
    assert all(sorted(order) == list(range(ROWS)) for order in orders)
    assert orders[0].tolist() != orders[1].tolist()
    quiet(spec, module, batch_size=10, seed=1)
    assert module.calls[3][3].tolist() != orders[0].tolist()


def test_shuffle_once_and_never_and_full():
    def orders(**changes):
        spec = make_spec(**changes)
        module = make_module(spec)
        quiet(spec, module)
        return [call[3] for call in module.calls], [call[1] for call in module.calls]

    once, _ = orders(shuffle="once")
    assert once[0].tolist() == once[-1].tolist() != list(range(ROWS))
    assert orders(shuffle="never")[0] == [None] * 4
    assert orders(batch_size="full") == ([None] * 4, [ROWS] * 4)
    assert orders(batch_size=1000)[1] == [ROWS] * 4


def test_overrides_replace_the_spec_and_are_checked():
    spec = make_spec()
    module = make_module(spec)
    assert len(quiet(spec, module, epochs=2).history.records) == 2
    quiet(spec, module, batch_size="full", epochs=1)
    assert module.calls[-1][1] == ROWS
    for wrong in ({"epochs": 0}, {"batch_size": 0}, {"seed": -1}):
        with pytest.raises(SymgradError, match=f"{next(iter(wrong))} is"):
            quiet(spec, module, **wrong)


def test_the_split_holds_out_each_row_once():
    data = blobs()
    training, validation = split(data, 0.3, seed=1)
    rows = np.concatenate([training.inputs["x"], validation.inputs["x"]])
    assert validation.rows == 13
    assert sorted(map(tuple, rows)) == sorted(map(tuple, data.inputs["x"]))
    assert set(validation.targets["t"]) == {0, 1, 2}, "sorted labels must be mixed"
    with pytest.raises(DataError, match="43 for training and 0 for validation"):
        split(data, 0.01, seed=1)


def test_standardising_uses_the_training_rows_alone():
    spec = make_spec(standardize=True, validation=0.5, dtype="float32")
    x = np.column_stack([np.arange(10.0) * 1000 + 1e9, np.full(10, 0.1)])
    data = Dataset({"x": x}, {"t": np.zeros(10, np.int64)}, "steps")
    training, validation = split(data, 0.5, seed=3)
    parts = prepare(spec, data, seed=3)
    x = parts.preparation.inputs["x"]
    mean, deviation = x.mean, x.deviation
    np.testing.assert_array_equal(mean[0], training.inputs["x"][:, 0].mean())
    assert deviation[1] == 1, "a constant column is not divided by rounding noise"
    expected = (validation.inputs["x"][:, 0] - mean[0]) / deviation[0]
    np.testing.assert_allclose(parts.validation.inputs["x"][:, 0], expected, rtol=1e-6)
    assert parts.validation.inputs["x"].dtype == np.float32
    np.testing.assert_allclose(parts.training.inputs["x"].mean(axis=0), 0, atol=1e-6)
    standardizing = replace(spec, train=replace(spec.train, standardize=True))
    tenths = Dataset({"x": np.full((3, 1), 0.1)}, {}, "tenths")
    assert tenths.inputs["x"].std() > 0, "rounding noise, not a spread"
    assert measure(standardizing, tenths).inputs["x"].deviation == 1
    huge = Dataset({"x": np.array([[1e200], [-1e200]])}, {"t": np.zeros(2, np.int64)}, "huge")
    with pytest.raises(DataError, match="too large to standardise"):
        measure(standardizing, huge)


def test_validation_may_be_a_file_or_an_argument(tmp_path):
    content = "p,q,t\n0,0,0\n3,0,1\n0,3,2\n"
    (tmp_path / "held.csv").write_text(content)
    spec = make_spec(tmp_path, validation=DataSpec("held.csv", (), AT))
    run = quiet(spec, make_module(spec))
    assert (run.training.rows, run.validation.rows) == (ROWS, 3)
    spec = make_spec(validation=0.5)
    run = quiet(spec, make_module(spec), validation=tmp_path / "held.csv")
    assert (run.training.rows, run.validation.rows) == (ROWS, 3)


def test_data_may_be_a_path(tmp_path):
    (tmp_path / "data.csv").write_text("p,q,t\n0,0,0\n3,0,1\n0,3,2\n")
    spec = make_spec(tmp_path)
    assert train(spec, make_module(spec), progress=False).training.rows == 3
    assert train(spec, make_module(spec), data=tmp_path / "data.csv", progress=False).training.rows == 3


def test_a_module_that_does_not_fit_is_refused():
    spec = make_spec()
    for name, value, words in [
        ("SPEC_SHA256", "b" * 64, "another version of the spec"),
        ("DTYPE", np.float32, "another version of the spec"),
        ("INPUTS", ("y",), "another version of the spec"),
    ]:
        module = make_module(spec)
        setattr(module, name, value)
        with pytest.raises(ModuleError, match=words):
            quiet(spec, module)
    module = make_module(spec)
    del module.train_epoch
    with pytest.raises(ModuleError, match="lacks train_epoch"):
        quiet(spec, module)


def test_targets_a_loss_has_no_meaning_for_are_refused():
    spec = make_spec(target_axes=("batch", 1), classes=None)
    data = Dataset({"x": np.ones((4, 2))}, {"t": np.array([[0.0], [1], [0], [1]])}, "zeros")
    with pytest.raises(DataError, match="must be -1 or 1"):
        quiet(spec, make_module(spec, "sign", 1), data)
    worse = Dataset(data.inputs, {"t": 2 * data.targets["t"]}, "twos")
    with pytest.raises(DataError, match="between 0 and 1"):
        quiet(spec, make_module(spec, "binary", 1), worse)


def test_large_data_are_scored_on_a_fair_sample(monkeypatch):
    monkeypatch.setattr(loop_of, "SCORED_ROWS", 12)
    sample = scored_sample(blobs(), seed=0)
    assert sample.rows == 12
    assert set(sample.targets["t"]) == {0, 1, 2}
    assert len({tuple(row) for row in sample.inputs["x"]}) == 12
