"""How training ends: in time, at the best epoch, by divergence or Ctrl-C, never losing good work."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from stub_module import blobs, make_module, make_spec, quiet, vector

from symgrad.errors import DataError, DivergenceError
from symgrad.spec.model import CheckpointSpec, StopSpec
from symgrad.training.checkpoint import load_checkpoint
from symgrad.training.dataset.data import Dataset
from symgrad.training.epochs.stopping import Watch, stop_reason
from symgrad.training.resuming import newest
from symgrad.training.run import TrainingDivergedError


def watched(losses, **stop):
    """The reasons to stop after each of some losses."""
    criteria, watch, reasons = StopSpec(**stop), Watch(), []
    for loss in losses:
        watch = watch.after(loss, loss, criteria.tolerance or 0.0)
        reasons.append(stop_reason(criteria, watch, 0.0))
    return reasons


def test_patience_waits_for_a_new_best():
    losses = [1.0, 0.95, 0.85, 0.9, 0.8, 0.85, 0.81]
    assert watched(losses, patience=1)[:4] == [None, None, None, "no progress"]
    assert watched(losses, patience=2) == [*[None] * 6, "no progress"]
    assert watched(losses, patience=3) == [None] * 7
    assert watched(losses) == [None] * 7


def test_the_objective_has_converged_when_it_hardly_changes():
    falling = [4.0, 2.0, 1.0, 0.5, 0.45, 0.44]
    assert watched(falling, tolerance=0.1) == [*[None] * 4, "converged", "converged"]
    rising = [1.0, 2.0, 4.0, 3.0]
    assert watched(rising, tolerance=0.1) == [None] * 4, "what rises has not converged"
    assert watched([1.0, 1.0, 0.9], tolerance=0.0) == [None, "converged", None]


def test_with_patience_the_objective_must_stay_for_so_long():
    noisy = [1.0, 0.99, 1.3, 0.9, 0.91, 0.9, 0.905]
    assert watched(noisy, tolerance=0.02, patience=3) == [*[None] * 6, "converged"]
    overfitting = [1.0, 0.5, 0.6, 0.7, 0.8]
    assert watched(overfitting, tolerance=0.02, patience=3) == [*[None] * 4, "no progress"]


def test_the_time_limit_is_a_reason():
    assert stop_reason(StopSpec(), Watch(), 1e9) is None
    assert stop_reason(StopSpec(time_limit=2.0), Watch(), 1.9) is None
    assert stop_reason(StopSpec(time_limit=2.0), Watch(), 2.0) == "time limit"


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
    assert "(the held-out loss made no progress any more)" in str(run)
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
    assert run.stop_reason == "converged"
    assert "(the training loss converged)" in str(run)
    changes = np.abs(np.diff(losses))
    assert changes[-1] <= 1e-3 < changes[:-1].min()
    assert 2 < len(losses) < 500


def test_the_time_limit_stops_after_an_epoch():
    spec = make_spec(epochs=10**6, stop=StopSpec(time_limit=0.05))
    start = time.perf_counter()
    run = quiet(spec, make_module(spec))
    assert run.stop_reason == "time limit"
    assert "(the time limit was reached)" in str(run)
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


def test_a_last_step_that_leaves_a_loss_that_is_no_number_is_divergence(tmp_path):
    spec = make_spec(target_axes=("batch", 1), classes=None, epochs=1, batch_size="full")
    data = Dataset({"x": np.full((20, 2), 1e100)}, {"t": np.ones((20, 1))}, "giants")
    module = make_module(spec, "values", 1, learning_rate=0.1)
    with pytest.raises(
        TrainingDivergedError, match="after epoch 1: the training loss became inf; lower"
    ) as caught:
        quiet(spec, module, data, out=tmp_path)
    assert caught.value.run.stop_reason == "diverged"
    assert (tmp_path / "checkpoint.npz").exists()


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


def test_a_kill_loses_at_most_the_time_since_the_last_saving(tmp_path):
    spec = make_spec(epochs=5, checkpoint=CheckpointSpec(minutes=1e-9))
    module = make_module(spec)
    plain = module.train_epoch

    def crashing(*arrays, epoch=0, **options):
        if epoch == 4:
            raise SystemExit(1)
        return plain(*arrays, epoch=epoch, **options)

    module.train_epoch = crashing
    with pytest.raises(SystemExit):
        quiet(spec, module, out=tmp_path)
    file, _ = newest(tmp_path)
    assert load_checkpoint(file, module).epoch == 4


def test_out_holds_every_file_and_is_checked_first(tmp_path):
    spec = make_spec(validation=0.2)
    module = make_module(spec)
    run = quiet(spec, module, out=tmp_path / "deep" / "run")
    names = {"checkpoint.npz", "history.csv", "history.jsonl", "history.json", "curves.png"}
    assert {path.name for path in run.paths} == names
    assert {path.name for path in (tmp_path / "deep" / "run").iterdir()} == {*names, "checkpoints"}
    (tmp_path / "file").write_text("")
    module.calls.clear()
    with pytest.raises(DataError, match="cannot be made"):
        quiet(spec, module, out=tmp_path / "file" / "run")
    assert module.calls == []
