"""What training tells of numbers: the first that is not finite, by step and tensor; norms of gradients."""

from __future__ import annotations

import csv
import json
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted, written
from click.testing import CliRunner
from stub_module import blobs, make_module, make_spec, quiet

import symgrad as sg
from symgrad.cli import main
from symgrad.errors import SpecError, SymgradError
from symgrad.spec.model import CheckpointSpec
from symgrad.training.resuming import newest
from symgrad.training.run import TrainingDivergedError
from symgrad.training.train import resume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ROWS, BATCH = 12, 3
UPDATE = {"hyper": {"learning_rate": 0.01}, "update": {"theta": "theta - learning_rate * g"}}


def chain(depth: int, broken: int | None, dtype: str) -> dict[str, Any]:
    """`h1` to `h<depth>`, the last with the loss; the broken one is infinite where `z` is huge."""
    equations = {}
    for n in range(1, depth + 1):
        before = f"h{n - 1}" if n > 1 else "x"
        equations[f"h{n}"] = f"tanh({before} @ W)" + (" + z**2" if n == broken else "")
    return {
        "dtype": dtype,
        "inputs": {"x": ["batch", 2], "z": ["batch", 1]},
        "targets": {"t": ["batch", 2]},
        "parameters": {"W": [2, 2]},
        "equations": equations,
        "loss": f"mean((h{depth} - t)**2) + 0 * mean(z)",
        "train": {"optimizer": UPDATE, "batch_size": BATCH, "epochs": 3, "shuffle": "never"},
    }


def slope(rate: float) -> dict[str, Any]:
    """Σ sin(b·z), which is 0 at first, with the slope Σz."""
    spec = chain(1, None, "float64")
    spec["parameters"]["b"] = {"axes": [], "init": "constant(0)"}
    spec["loss"] = "mean((h1 - t)**2) + sum(sin(b * z))"
    spec["train"]["optimizer"] = {**UPDATE, "hyper": {"learning_rate": rate}}
    return spec


@pytest.fixture(name="build")
def _build(tmp_path: Path) -> Callable[[Any], Any]:
    return lambda spec: interpreted(written(spec, tmp_path))


@pytest.fixture(autouse=True)
def _as_compiled() -> Iterator[None]:
    """Compiled code overflows without a warning."""
    with np.errstate(all="ignore"):
        yield


def rows(seed: int, bad: int | None = None, huge: float = 1e200) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    z = np.zeros((ROWS, 1))
    if bad is not None:
        z[bad] = huge
    return {"x": rng.normal(size=(ROWS, 2)), "z": z, "t": rng.normal(size=(ROWS, 2))}


@pytest.mark.parametrize("seed", range(6))
def test_the_first_tensor_that_is_not_finite_is_named_with_step_and_entry(seed: int, build: Any) -> None:
    random = Random(seed)
    depth, dtype = random.randint(1, 4), random.choice(["float32", "float64"])
    broken, bad = random.randint(1, depth), random.randrange(ROWS)
    spec = chain(depth, broken, dtype)
    with pytest.raises(TrainingDivergedError) as caught:
        sg.train(
            spec, build(spec), data=rows(seed, bad, 1e200 if dtype == "float64" else 1e30), progress=False
        )
    batch, entry = bad // BATCH + 1, bad % BATCH
    where = f"in batch {batch} of {ROWS // BATCH} (step {batch})"
    named = f": first of all, h{broken} [{BATCH}, 2] is inf at [{entry}, 0]; lower"
    assert "epoch 1: the loss became " in str(caught.value)
    assert f"{where}{named}" in str(caught.value)


def test_a_loss_that_alone_is_not_finite_names_no_tensor(build: Any) -> None:
    spec = chain(1, None, "float64")
    spec["loss"] = "mean((h1 - t)**2) + mean(z**2)"
    with pytest.raises(TrainingDivergedError, match=r"became inf in batch 2 of 4 \(step 2\); lower"):
        sg.train(spec, build(spec), data=rows(0, bad=4), progress=False)


def test_a_gradient_that_is_not_finite_is_named_where_the_loss_is(build: Any) -> None:
    spec, data = slope(0.01), rows(0)
    data["z"][:2] = 1.5e308
    where = r"a parameter stopped being a finite number in batch 1 of 4 \(step 1\): "
    with pytest.raises(TrainingDivergedError, match=f"{where}first of all, the gradient of b is inf; lower"):
        sg.train(spec, build(spec), data=data, progress=False)


@pytest.mark.filterwarnings("ignore:.*so long a step leaves every minimum behind")
def test_an_update_that_overflows_is_named_where_the_gradient_is_finite(build: Any) -> None:
    spec, data = slope(1e200), rows(0, bad=1)
    with pytest.raises(TrainingDivergedError, match="first of all, the optimiser's new b is -inf; lower"):
        sg.train(spec, build(spec), data=data, progress=False)


def test_held_out_rows_that_overflow_are_traced_too(build: Any) -> None:
    spec = chain(2, 2, "float64")
    data, held_out = rows(0), rows(1, bad=4)
    from symgrad.not_finite import first_not_finite
    from symgrad.training.train import train

    read = sg.read(spec)
    with pytest.raises(
        TrainingDivergedError, match=r"validation loss became inf: first of all, h2 \[12, 2\]"
    ):
        train(
            *(read, build(spec)),
            data=data,
            validation=held_out,
            progress=False,
            trace=lambda params, given: first_not_finite(read, params, given),
        )


def norms_by_hand(params: Any, x: np.ndarray, t: np.ndarray) -> tuple[float, float]:
    """Of the mean squared error of y = x·W + b, which has two outputs."""
    delta = 2 * (x @ params.W + params.b - t) / t.size
    return float(np.linalg.norm(x.T @ delta)), float(np.linalg.norm(delta.sum(axis=0)))


@pytest.mark.parametrize("batch_size", [4, "full"])
def test_norms_are_those_of_the_first_batch_at_the_end_of_the_epoch(
    batch_size: Any, tmp_path: Path, build: Any
) -> None:
    rng = np.random.default_rng(5)
    data = {"x": rng.normal(size=(ROWS, 3)), "t": rng.normal(size=(ROWS, 2))}
    spec = {
        "dtype": "float64",
        "inputs": {"x": ["batch", 3]},
        "targets": {"t": ["batch", 2]},
        "parameters": {"W": [3, 2], "b": [2]},
        "equations": {"y": "x @ W + b"},
        "loss": "mse",
        "train": {"optimizer": "sgd(0.1)", "batch_size": batch_size, "epochs": 3, "shuffle": "never"},
    }
    first = ROWS if batch_size == "full" else batch_size
    seen = []

    def after_epoch(record: Any, params: Any) -> None:
        expected = norms_by_hand(params, data["x"][:first], data["t"][:first])
        found = dict(record.gradient_norms)
        np.testing.assert_allclose((found["W"], found["b"]), expected, rtol=1e-12)
        np.testing.assert_allclose(record.gradient_norm, np.hypot(*expected), rtol=1e-12)
        seen.append(record)

    module = build(spec)
    options: dict[str, Any] = {"data": data, "progress": False}
    run = sg.train(spec, module, out=tmp_path, monitor="gradients", after_epoch=after_epoch, **options)
    assert len(seen) == 3
    columns = json.loads((tmp_path / "history.json").read_text())["columns"]
    assert columns["gradient_norm.W"] == [dict(r.gradient_norms)["W"] for r in run.history.records]
    with (tmp_path / "history.csv").open() as file:
        assert [float(row["gradient_norm"]) for row in csv.DictReader(file)] == columns["gradient_norm"]
    assert "gradient_norm" in str(run.history)
    assert "gradient_norm.W" not in str(run.history)
    plain = sg.train(spec, module, **options)
    assert not {"gradient_norm", "gradient_norm.W"} & plain.history.columns().keys()
    assert [r.loss for r in plain.history.records] == [r.loss for r in run.history.records]
    watched = {**spec, "train": {**spec["train"], "monitor": "gradients"}}
    by_spec = sg.train(watched, build(watched), **options)
    assert by_spec.history.columns()["gradient_norm"] == columns["gradient_norm"]


def test_huge_gradients_have_norms() -> None:
    from symgrad.training.epochs.norms_of_gradients import _norm

    assert _norm(np.array([3e200, -4e200])) == pytest.approx(5e200)
    assert _norm(np.array([3e-200, 4e-200])) == pytest.approx(5e-200)
    assert np.isnan(_norm(np.array([np.nan, 1.0])))
    assert _norm(np.zeros((2, 2))) == 0 == _norm(np.empty(0))


def test_a_run_that_goes_on_keeps_its_norms(tmp_path: Path) -> None:
    plan: Any = {"epochs": 6, "checkpoint": CheckpointSpec(epochs=1, keep=3)}
    spec = make_spec(**plan)
    whole = quiet(spec, make_module(spec), monitor="gradients")
    module = make_module(spec)
    plain = module.train_epoch

    def dying(*arrays: Any, **options: Any) -> float:
        if options["epoch"] == 3:
            raise SystemExit
        return float(plain(*arrays, **options))

    module.train_epoch = dying
    with pytest.raises(SystemExit):
        quiet(spec, module, out=tmp_path, monitor="gradients")
    module.train_epoch = plain
    run = resume(spec, module, tmp_path, *newest(tmp_path), progress=False, data=blobs())
    assert len(run.history.records) == 6
    assert [r.gradient_norms for r in run.history.records] == [
        r.gradient_norms for r in whole.history.records
    ]


def test_what_is_no_monitor_is_refused(tmp_path: Path) -> None:
    spec = make_spec()
    with pytest.raises(SymgradError, match="monitor is 'losses'; expected 'gradients'"):
        quiet(spec, make_module(spec), monitor="losses")
    wrong = chain(1, None, "float64")
    wrong["train"]["monitor"] = "losses"
    with pytest.raises(SpecError, match="monitor"):
        sg.read(wrong)
    found = CliRunner().invoke(main, ["train", "--resume", str(tmp_path), "--monitor", "gradients"])
    assert found.exit_code == 2
    assert "--monitor does not go with --resume" in found.output
