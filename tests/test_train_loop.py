"""Training a hand-written module: reproducible, split fairly, stopped in time, never losing good work."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from stub_module import AT, make_module, make_spec

from symgrad.errors import DataError, DivergenceError, ModuleError, SpecError
from symgrad.spec.model import DataSpec, StopSpec
from symgrad.training import loop as loop_of
from symgrad.training import train as train_of
from symgrad.training.checkpoint import load_checkpoint
from symgrad.training.data import Dataset
from symgrad.training.loop import scored_sample
from symgrad.training.metrics import Metrics
from symgrad.training.run import TrainingDivergedError
from symgrad.training.split import measure, prepare, split
from symgrad.training.stopping import Watch, stop_reason
from symgrad.training.train import train

ROWS = 43


def blobs(rows: int = ROWS, seed: int = 7, dtype: str = "float64") -> Dataset:
    """Three classes around three centres; the classes sorted, as in many files."""
    generator = np.random.default_rng(seed)
    labels = np.sort(np.arange(rows) % 3)
    centres = np.array([[0, 0], [3, 0], [0, 3]])
    x = (centres[labels] + generator.normal(scale=0.6, size=(rows, 2))).astype(dtype)
    return Dataset({"x": x}, {"t": labels.astype(np.int64)}, "blobs")


def quiet(spec, module, data=None, **options):
    return train(spec, module, data=data or blobs(), progress=False, **options)


def vector(run) -> np.ndarray:
    return np.concatenate([run.params.W.ravel(), run.params.b])


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
        with pytest.raises(SpecError, match=f"{next(iter(wrong))} is"):
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
    mean, deviation = parts.standardization.means["x"], parts.standardization.deviations["x"]
    np.testing.assert_array_equal(mean[0], training.inputs["x"][:, 0].mean())
    assert deviation[1] == 1, "a constant column is not divided by rounding noise"
    expected = (validation.inputs["x"][:, 0] - mean[0]) / deviation[0]
    np.testing.assert_allclose(parts.validation.inputs["x"][:, 0], expected, rtol=1e-6)
    assert parts.validation.inputs["x"].dtype == np.float32
    np.testing.assert_allclose(parts.training.inputs["x"].mean(axis=0), 0, atol=1e-6)
    tenths = Dataset({"x": np.full((3, 1), 0.1)}, {}, "tenths")
    assert tenths.inputs["x"].std() > 0, "rounding noise, not a spread"
    assert measure(tenths).deviations["x"] == 1
    huge = Dataset({"x": np.array([[1e200], [-1e200]])}, {"t": np.zeros(2, np.int64)}, "huge")
    with pytest.raises(DataError, match="too large to standardise"):
        measure(huge)


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


def test_watch_and_stop_reasons():
    watch = Watch()
    for loss, stale in [(1.0, 0), (0.95, 1), (0.85, 0), (0.9, 1), (0.8, 2)]:
        watch = watch.after(loss, 0.1)
        assert watch.stale == stale
    assert stop_reason(StopSpec(patience=3), watch, 0) is None
    assert stop_reason(StopSpec(patience=2), watch, 0) == "no progress"
    assert stop_reason(StopSpec(tolerance=0.1), watch, 0) == "no progress"
    assert stop_reason(StopSpec(), watch, 1e9) is None
    assert stop_reason(StopSpec(time_limit=2.0), watch, 2.0) == "time limit"


def scripted(module, losses):
    """The module with validation losses from a list, one per epoch; the parameters count the epochs."""

    def train_epoch(params, state, x, t, *, batch_size, order=None, epoch=0):
        params.b[:] = epoch + 1
        module.epoch = epoch
        return 1.0

    module.train_epoch = train_epoch
    module.loss = lambda params, x, t: losses[module.epoch]
    return module


def test_patience_stops_and_keeps_the_best_epoch():
    spec = make_spec(validation=0.2, epochs=50, stop=StopSpec(patience=3))
    run = quiet(spec, scripted(make_module(spec), [5, 4, 3, 3.5, 3.2, 3.1, 0]))
    assert run.stop_reason == "no progress"
    assert len(run.history.records) == 6
    assert run.best_epoch == run.checkpoint.epoch == run.history.best_epoch == 3
    assert run.params.b.tolist() == [3, 3, 3]


def test_without_early_stopping_the_last_epoch_is_kept():
    spec = make_spec(validation=0.2, epochs=4)
    run = quiet(spec, scripted(make_module(spec), [5, 1, 3, 3.5]))
    assert (run.best_epoch, run.checkpoint.epoch) == (2, 4)
    assert run.params.b.tolist() == [4, 4, 4]


def test_tolerance_without_validation_watches_the_training_loss():
    spec = make_spec(epochs=500, stop=StopSpec(tolerance=1e-3), batch_size="full")
    run = quiet(spec, make_module(spec))
    losses = run.history.columns()["loss"]
    assert run.stop_reason == "no progress"
    assert min(losses[:-1]) - losses[-1] <= 1e-3
    assert 2 < len(losses) < 500


def test_the_time_limit_stops_after_an_epoch():
    spec = make_spec(epochs=10**6, stop=StopSpec(time_limit=0.05))
    start = time.perf_counter()
    run = quiet(spec, make_module(spec))
    assert run.stop_reason == "time limit"
    assert time.perf_counter() - start < 5


def test_divergence_names_the_step_and_keeps_the_last_good_epoch(tmp_path):
    spec = make_spec(target_axes=("batch", 1), classes=None, epochs=300, shuffle="never")
    data = Dataset({"x": np.ones((20, 2))}, {"t": np.ones((20, 1))}, "ones")
    module = make_module(spec, "values", 1, learning_rate=1e6)
    with pytest.raises(TrainingDivergedError) as caught:
        quiet(spec, module, data, out=tmp_path)
    assert isinstance(caught.value, DivergenceError)
    run = caught.value.run
    good = len(run.history.records)
    assert run.checkpoint.epoch == good > 0
    assert np.isfinite(vector(run)).all()
    assert f"stub, epoch {good + 1}: the loss became inf in batch " in str(caught.value)
    assert run.stop_reason == "diverged"
    saved = load_checkpoint(tmp_path / "checkpoint.npz", module)
    np.testing.assert_array_equal(saved.params.W, run.params.W)
    json.dumps(run.as_dict(), allow_nan=False)


def test_divergence_finds_the_batch_that_broke():
    spec = make_spec(target_axes=("batch", 1), classes=None, epochs=5, shuffle="never", batch_size=4)
    x = np.ones((20, 2))
    x[13] = 1e200
    data = Dataset({"x": x}, {"t": np.ones((20, 1))}, "one giant")
    module = make_module(spec, "values", 1, learning_rate=0.01)
    where = r"the loss became inf in batch 4 of 5 \(step 4\)"
    with pytest.raises(TrainingDivergedError, match=where) as caught:
        quiet(spec, module, data)
    np.testing.assert_array_equal(caught.value.run.params.W, module.init_params(0).W)
    assert caught.value.run.history.records == ()


def test_a_last_step_that_breaks_the_parameters_is_divergence():
    spec = make_spec(epochs=3)
    module = make_module(spec)
    plain = module.train_epoch

    def breaking(params, state, x, t, *, batch_size, order=None, epoch=0):
        loss = plain(params, state, x, t, batch_size=batch_size, order=order, epoch=epoch)
        if epoch == 1:
            params.W[0, 0] = np.nan
        return loss

    module.train_epoch = breaking
    with pytest.raises(
        TrainingDivergedError, match=r"epoch 2: a parameter .* in batch 1 of 6 \(step 7\)"
    ) as caught:
        quiet(spec, module)
    assert np.isfinite(vector(caught.value.run)).all()
    assert caught.value.run.checkpoint.epoch == 1


def test_a_validation_loss_that_is_not_finite_is_divergence():
    spec = make_spec(validation=0.2, epochs=4)
    with pytest.raises(TrainingDivergedError, match="epoch 3: the validation loss became nan") as caught:
        quiet(spec, scripted(make_module(spec), [5, 1, float("nan")]))
    assert caught.value.run.params.b.tolist() == [2, 2, 2]


def test_ctrl_c_keeps_the_last_whole_epoch(tmp_path):
    spec = make_spec(epochs=10)
    module = make_module(spec)
    plain = module.train_epoch

    def interrupted(params, state, x, t, *, batch_size, order=None, epoch=0):
        if epoch == 3:
            plain(params, state, x[:8], t[:8], batch_size=batch_size, epoch=epoch)
            raise KeyboardInterrupt
        return plain(params, state, x, t, batch_size=batch_size, order=order, epoch=epoch)

    module.train_epoch = interrupted
    run = quiet(spec, module, out=tmp_path)
    assert run.stop_reason == "interrupted"
    expected = quiet(replace(spec, train=replace(spec.train, epochs=3)), make_module(spec))
    assert vector(run).tobytes() == vector(expected).tobytes()
    assert run.checkpoint.state.step == 3 * 6, "the state is of the same moment as the parameters"
    assert load_checkpoint(tmp_path / "checkpoint.npz", module).epoch == 3


def test_a_checkpoint_continues_where_it_stopped():
    spec = make_spec(epochs=6)
    whole = quiet(spec, make_module(spec))
    module = make_module(spec)
    half = quiet(spec, module, epochs=3)
    reference = make_module(spec)
    quiet(spec, reference)
    data = blobs()
    for epoch in range(3, 6):
        module.train_epoch(
            *(half.params, half.checkpoint.state, *data.arrays),
            batch_size=8,
            order=reference.calls[epoch][3],
            epoch=epoch,
        )
    assert vector(half).tobytes() == vector(whole).tobytes()


def test_a_kill_loses_at_most_the_time_since_the_last_saving(tmp_path, monkeypatch):
    monkeypatch.setattr(train_of, "AUTOSAVE_SECONDS", 0.0)
    spec = make_spec(epochs=5)
    module = make_module(spec)
    plain = module.train_epoch

    def crashing(*arrays, epoch=0, **options):
        if epoch == 4:
            raise SystemExit(1)
        return plain(*arrays, epoch=epoch, **options)

    module.train_epoch = crashing
    with pytest.raises(SystemExit):
        quiet(spec, module, out=tmp_path)
    assert load_checkpoint(tmp_path / "checkpoint.npz", module).epoch == 4


def test_out_holds_every_file_and_is_checked_first(tmp_path):
    spec = make_spec(validation=0.2)
    module = make_module(spec)
    run = quiet(spec, module, out=tmp_path / "deep" / "run")
    names = {"checkpoint.npz", "history.csv", "history.json", "curves.png"}
    assert {path.name for path in run.paths} == names
    assert {path.name for path in (tmp_path / "deep" / "run").iterdir()} == names
    (tmp_path / "file").write_text("")
    module.calls.clear()
    with pytest.raises(DataError, match="cannot be made"):
        quiet(spec, module, out=tmp_path / "file" / "run")
    assert module.calls == []


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
