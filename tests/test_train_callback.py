"""What is called after every epoch and after every so many steps: it sees, stops, and changes numbers."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written

import symgrad as sg

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from symgrad.training.epochs.training_callbacks import StepRecord
    from symgrad.training.records.history import EpochRecord

SPEC: dict[str, Any] = {
    "name": "line",
    "dtype": "float64",
    "inputs": {"x": ["n", 1]},
    "targets": {"t": ["n", 1]},
    "layers": ["dense(1)"],
    "loss": "mse",
    "train": {
        "epochs": 6,
        "batch_size": 2,
        "optimizer": "momentum(learning_rate=0.01, momentum=0.5)",
        "schedule": "exponential(decay=0.1, k=step)",
        "checkpoint": {"epochs": 1, "keep": 3},
    },
}
STEPS = 4  # of an epoch: 7 rows, the last batch is short
DATA = {"x": [[0.0], [1], [2], [3], [-1], [-2], [5]], "t": [[1.0], [3], [5], [7], [-1], [-4], [11]]}


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symgrad.training.run.plot_history", lambda *_: None)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return interpreted(written(SPEC, tmp_path_factory.mktemp("line")))


def train(line: ModuleType, **options: Any) -> Any:
    return sg.train(SPEC, line, data=DATA, progress=False, **options)


def facts(run: Any) -> Any:
    kept = run.checkpoint
    arrays = [array.tobytes() for array in (*kept.fitted, *kept.state)]
    records = [{**vars(record), "seconds": 0} for record in run.history.records]
    return arrays, kept.epoch, run.best_epoch, run.stop_reason, records, run.history.changes


def test_a_callback_sees_every_epoch_and_ends_training(line: ModuleType) -> None:
    seen: list[tuple[int, float]] = []

    def after_epoch(record: EpochRecord, params: Any) -> bool:
        seen.append((record.epoch, float(params.W1[0, 0])))
        params.W1[:] = 1e6  # a copy: training goes on as if nothing had happened
        return record.epoch == 3

    run = train(line, after_epoch=after_epoch)
    alone = train(line, epochs=3)
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert run.stop_reason == "callback"
    assert "as the callback asked" in str(run)
    assert seen[-1][1] == float(alone.checkpoint.fitted.W1[0, 0]) == float(run.checkpoint.fitted.W1[0, 0])


def test_it_sees_every_so_many_steps_and_training_is_as_without(line: ModuleType) -> None:
    for every in (1, 2, 3, 5, 9, 100):
        seen: list[StepRecord] = []
        run = train(line, after_steps=(every, lambda record, _, seen=seen: seen.append(record)))
        alone = train(line)
        assert [record.step for record in seen] == list(range(every, 6 * STEPS + 1, every))
        assert [record.epoch for record in seen] == [-(-record.step // STEPS) for record in seen]
        assert facts(run)[0] == facts(alone)[0]
        losses = [[record.loss for record in found.history.records] for found in (run, alone)]
        assert np.allclose(*losses, rtol=1e-14, atol=0)
        for record in seen:
            assert record.learning_rate == pytest.approx(0.01 * np.exp(-0.1 * (record.step - 1)), rel=1e-14)
            assert record.hyper == line.HYPER


def by_hand(line: ModuleType, changes: Any, epochs: int) -> tuple[float, float]:
    """Weight and bias after training with numbers that change after steps: momentum, written out."""
    first = line.init_params(seed=0)
    w, b, vw, vb, step = float(first.W1[0, 0]), float(first.b1[0]), 0.0, 0.0, 0
    numbers = dict(line.HYPER)
    for epoch in range(1, epochs + 1):
        order = np.random.default_rng([0, 2, epoch]).permutation(7)
        for start in range(0, 7, 2):
            x, t = (np.array(DATA[name])[order[start : start + 2], 0] for name in "xt")
            error = 2 * (w * x + b - t) / len(x)
            rate = numbers["learning_rate"] * np.exp(-numbers["decay"] * step)
            vw = numbers["momentum"] * vw + (error * x).sum()
            vb = numbers["momentum"] * vb + error.sum()
            w, b, step = w - rate * vw, b - rate * vb, step + 1
            for change in changes:  # of an epoch and its last step there may be two
                numbers |= change.hyper if change.step == step else {}
    return w, b


class Drawn:
    """Callbacks whose answers are drawn from the step alone, and that fail where they are told to."""

    def __init__(self, seed: int, dies_at: tuple[str, int] | None = None) -> None:
        self.seed, self.dies_at = seed, dies_at
        self.every = random.Random(seed).randint(1, 6)

    def answer(self, kind: str, record: Any) -> Any:
        if self.dies_at == (kind, record.step):
            self.dies_at = None
            raise random.Random(self.seed).choice([SystemExit, KeyboardInterrupt, ValueError("no")])
        drawn = random.Random(f"{self.seed} {kind} {record.step}")
        name = drawn.choice(list(record.hyper))
        return drawn.choice([None, False, {}, {name: record.hyper[name] * drawn.uniform(0.7, 1.2)}])

    @property
    def options(self) -> dict[str, Any]:
        return {
            "after_epoch": lambda record, _: self.answer("epoch", record),
            "after_steps": (self.every, lambda record, _: self.answer("steps", record)),
        }


@pytest.mark.parametrize("seed", range(12))
def test_drawn_changes_are_as_written_out_and_survive_whatever_stops_them(
    line: ModuleType, tmp_path: Path, seed: int
) -> None:
    whole = train(line, **Drawn(seed).options)
    kept = whole.checkpoint.fitted
    assert (kept.W1[0, 0], kept.b1[0]) == pytest.approx(by_hand(line, whole.history.changes, 6), rel=1e-12)
    drawn = random.Random(seed)
    kind = drawn.choice(["epoch", "steps"])
    every = Drawn(seed).every if kind == "steps" else STEPS
    dying = Drawn(seed, (kind, drawn.randrange(every, 6 * STEPS + 1, every)))
    with suppress(SystemExit, sg.CallbackError):
        train(line, out=tmp_path, **dying.options)
    assert dying.dies_at is None
    again = sg.train(resume=tmp_path, module=line, data=DATA, progress=False, **Drawn(seed).options)
    assert facts(again) == facts(whole)
    assert {**again.history.as_dict(), "columns": 0} == {**whole.history.as_dict(), "columns": 0}


def test_going_on_without_the_callback_keeps_what_it_changed(line: ModuleType, tmp_path: Path) -> None:
    def slower(record: Any, _: Any) -> Any:
        return {"optimizer.learning_rate": 0.002} if record.step == 6 else None

    whole = train(line, after_steps=(3, slower))
    assert [(c.step, c.hyper) for c in whole.history.changes] == [(6, {"learning_rate": 0.002})]
    assert whole.history.as_dict()["changes"] == [{"after_step": 6, "learning_rate": 0.002}]
    rates = whole.history.columns()["learning_rate"]
    starts = (0.01, 0.002, 0.002, 0.002, 0.002, 0.002)
    assert rates == [pytest.approx(r * np.exp(-0.1 * (4 * n - 1))) for n, r in enumerate(starts, 1)]
    train(line, out=tmp_path, epochs=3, after_steps=(3, slower))
    on = sg.train(resume=tmp_path, module=line, data=DATA, epochs=6, progress=False)
    assert facts(on) == facts(whole)


@pytest.mark.parametrize("how", ["answer", "raise"])
def test_a_callback_ends_training_within_an_epoch(line: ModuleType, tmp_path: Path, how: str) -> None:
    seen: list[float] = []

    def told(record: StepRecord, params: Any) -> bool:
        seen.append(float(params.W1[0, 0]))
        if how == "raise" and record.step == 10:
            raise sg.StopTraining("enough")
        return record.step == 10

    run = train(line, out=tmp_path, after_steps=(1, told))
    assert run.stop_reason == "callback"
    assert len(seen) == 10
    assert float(run.checkpoint.fitted.W1[0, 0]) == seen[-1]
    assert run.history.records[-1].step == 10
    assert "epoch 3 ended after step 10, 2 steps early" in str(run)
    assert ("the callback said: enough" in str(run)) == (how == "raise")
    on = sg.train(resume=tmp_path, module=line, data=DATA, progress=False)
    whole = train(line)
    assert facts(on)[0] == facts(whole)[0], "that epoch is made anew"


def _fails(_: Any, __: Any) -> None:
    raise RuntimeError("out of ideas")


ANSWERS: list[tuple[Any, str]] = [
    (_fails, "RuntimeError: out of ideas; mend the callback"),
    (lambda record, _: record.loss, "it returned "),
    (lambda *_: {"lr": 0.1}, "there is no hyper-parameter 'lr' here"),
    (lambda *_: {"learning_rate": -1}, "learning_rate"),
    (lambda *_: {"learning_rate": "fast"}, "hyper: learning_rate is 'fast'; expected a finite number"),
    (lambda *_: {1: 0.1}, "expected numbers by name"),
    (lambda: None, "takes 0 positional arguments but 2 were given"),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_a_callback_that_fails_is_named_and_nothing_is_lost(
    line: ModuleType, tmp_path: Path, answer: tuple[Any, str]
) -> None:
    callback, problem = answer
    with pytest.raises(sg.CallbackError) as found:
        train(line, out=tmp_path, after_steps=(6, callback))
    said = str(found.value)
    assert said.startswith("line, after_steps (")
    assert "test_train_callback.py:" in said
    assert "epoch 2, step 6" in said
    assert problem in said
    assert found.value.run.stop_reason == "callback failed"
    assert facts(found.value.run)[0] == facts(train(line, epochs=1))[0]
    assert (tmp_path / "checkpoint.npz").is_file()
    on = sg.train(resume=tmp_path, module=line, data=DATA, progress=False)
    assert facts(on)[0] == facts(train(line))[0]


@pytest.mark.parametrize("given", [_fails, (0, _fails), (1.5, _fails), (3,), (_fails, 3), "100", (3, 4)])
def test_what_is_no_number_of_steps_and_a_function_is_refused(line: ModuleType, given: Any) -> None:
    with pytest.raises(sg.SymgradError, match=r"after_steps is .*; expected a"):
        train(line, after_steps=given)


def test_numbers_that_make_training_diverge_are_told_with_their_step(line: ModuleType) -> None:
    def too_fast(record: Any, _: Any) -> Any:
        return {"learning_rate": 1e150} if record.step == 8 else None

    where = r"epoch 3: .* in batch \d of 4 \(step (9|1\d)\)"
    with np.errstate(over="ignore"), pytest.raises(sg.DivergenceError, match=where) as found:
        train(line, after_steps=(1, too_fast))
    assert len(found.value.run.history.records) == 2
