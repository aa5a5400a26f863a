"""Logs of a run while it trains: no epoch is missing or stands twice, whatever stops it."""

from __future__ import annotations

import csv
import json
import random
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
from stub_module import blobs, make_module, make_spec, quiet

from symgrad.errors import DataError, DataWarning, ModuleError, SymgradError
from symgrad.spec.model import CheckpointSpec
from symgrad.training.resuming import newest
from symgrad.training.train import resume

if TYPE_CHECKING:
    from pathlib import Path

EPOCHS = 8


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symgrad.training.run.plot_history", lambda *_: None)


def tables(folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What the CSV and the JSON lines say, as numbers."""
    with (folder / "history.csv").open() as file:
        rows = [{n: float(c) if c else None for n, c in row.items()} for row in csv.DictReader(file)]
    return rows, [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def killed(folder: Path, seed: int, **options: Any) -> Any:
    """A training that dies in some epochs and is resumed each time; what it comes to."""
    drawn = random.Random(seed)
    spec = make_spec(epochs=EPOCHS, validation=0.2, checkpoint=CheckpointSpec(drawn.randint(1, 3), keep=2))
    module = make_module(spec)
    plain, deaths = module.train_epoch, sorted(drawn.choices(range(EPOCHS), k=3))

    def dying(*arrays: Any, **setting: Any) -> float:
        if deaths and setting["epoch"] == deaths[0]:
            deaths.pop(0)
            raise SystemExit
        return float(plain(*arrays, **setting))

    module.train_epoch = dying
    run = None
    while run is None:
        try:
            if (folder / "checkpoints").is_dir():
                run = resume(spec, module, folder, *newest(folder), data=blobs(), progress=False)
            else:
                run = quiet(spec, module, out=folder, **options)
        except SystemExit:
            if drawn.random() < 0.5 and (folder / "history.csv").is_file():  # as a power cut may leave it
                for name in ("history.csv", "history.jsonl"):
                    content = (folder / name).read_bytes()
                    (folder / name).write_bytes(content[: drawn.randrange(len(content))])
    return run


@pytest.mark.parametrize("seed", range(6))
def test_tables_have_every_epoch_once_whatever_stops_a_run(tmp_path: Path, seed: int) -> None:
    run = killed(tmp_path, seed)
    columns = run.history.columns()
    expected = [{name: values[n] for name, values in columns.items()} for n in range(EPOCHS)]
    rows, lines = tables(tmp_path)
    assert rows == lines == expected
    assert [row["epoch"] for row in rows] == list(range(1, EPOCHS + 1))


def test_tables_grow_with_every_epoch(tmp_path: Path) -> None:
    spec = make_spec(epochs=EPOCHS, validation=0.2)
    seen = []

    def after_epoch(record: Any, _: Any) -> None:
        rows, lines = tables(tmp_path)
        assert rows == lines
        assert [row["epoch"] for row in rows] == list(range(1, record.epoch + 1))
        assert rows[-1]["validation_loss"] == record.validation_loss
        seen.append(record)

    quiet(spec, make_module(spec), out=tmp_path, after_epoch=after_epoch)
    assert len(seen) == EPOCHS
    quiet(spec, make_module(spec), out=tmp_path, epochs=2)
    assert len(tables(tmp_path)[0]) == 2, "another run begins anew"


def test_a_column_that_comes_later_is_there_from_the_first_epoch_on(tmp_path: Path) -> None:
    from symgrad.training.logs.table_log import TableLog
    from symgrad.training.records.history import EpochRecord

    log = TableLog(tmp_path, "accuracy", ())
    log.add(EpochRecord(1, 0.5, None, None, None, 0.1))
    log.add(EpochRecord(2, float("inf"), 0.75, None, None, 0.1))
    log.add(EpochRecord(3, 0.25, None, None, None, 0.1))
    log.close("")
    rows, lines = tables(tmp_path)
    assert [row["accuracy"] for row in rows] == [line["accuracy"] for line in lines] == [None, 0.75, None]
    assert (rows[1]["loss"], lines[1]["loss"]) == (float("inf"), None)


def test_a_disk_that_is_full_for_a_while_leaves_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(epochs=4, checkpoint=CheckpointSpec(epochs=99))
    seen = []

    def after_epoch(record: Any, _: Any) -> None:
        if record.epoch == 1:
            monkeypatch.setattr("symgrad.training.logs.table_log.TableLog._add", full)
        else:
            monkeypatch.undo()
            monkeypatch.setattr("symgrad.training.run.plot_history", lambda *_: None)
        seen.append(len(tables(tmp_path)[0]))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with pytest.warns(DataWarning, match="no history: No space left on device; training goes on"):
        quiet(spec, make_module(spec), out=tmp_path, after_epoch=after_epoch)
    assert seen == [1, 1, 3, 4]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard itself reads."""
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = events.EventAccumulator(str(folder / "tensorboard"))
    found.Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


@pytest.mark.parametrize("seed", range(4))
def test_tensorboard_reads_every_epoch_once(tmp_path: Path, seed: int) -> None:
    pytest.importorskip("tensorboard")
    run = killed(tmp_path, seed, log=["tensorboard"])
    found = scalars(tmp_path)
    columns = run.history.columns()
    assert found.keys() == columns.keys() - {"epoch"}
    for name, values in columns.items():
        if name != "epoch":
            assert [step for step, _ in found[name]] == list(range(1, EPOCHS + 1))
        if name not in ("epoch", "seconds"):
            assert [value for _, value in found[name]] == pytest.approx(values, rel=1e-6), name
    spec = make_spec(epochs=2, validation=0.2)
    quiet(spec, make_module(spec), out=tmp_path, log="tensorboard")
    assert len(scalars(tmp_path)["loss"]) == 2, "another run begins anew"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """MLflow's own, of a folder."""
    tracking = pytest.importorskip("mlflow.tracking", reason="MLflow is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    return tracking.MlflowClient()


def test_mlflow_has_every_epoch_once_and_the_settings(tmp_path: Path, client: Any) -> None:
    folder = tmp_path / "run"
    run = killed(folder, 3, log=["mlflow"])
    (kept,) = client.search_runs([client.get_experiment_by_name("stub").experiment_id])
    assert kept.info.run_name == "run"
    assert kept.info.status == "FINISHED"
    assert {k: kept.data.params[k] for k in ("epochs", "batch_size", "seed")} == {
        "epochs": "8",
        "batch_size": "8",
        "seed": "0",
    }
    for name, values in run.history.columns().items():
        if name != "epoch":
            points = client.get_metric_history(kept.info.run_id, name)
            assert [point.step for point in points] == list(range(1, EPOCHS + 1)), name
        if name not in ("epoch", "seconds"):
            assert [point.value for point in points] == values
    spec = make_spec(epochs=1)
    quiet(spec, make_module(spec), out=folder, log="mlflow")
    assert len(client.search_runs([kept.info.experiment_id])) == 2, "another run is another run"


def test_mlflow_that_goes_away_ends_no_training(tmp_path: Path, client: Any) -> None:
    spec = make_spec(epochs=3)

    def after_epoch(record: Any, _: Any) -> None:
        if record.epoch == 1:
            shutil.rmtree(tmp_path / "mlruns")

    with pytest.warns(DataWarning, match="MLflow: .*; training goes on without it"):
        run = quiet(spec, make_module(spec), out=tmp_path / "run", log="mlflow", after_epoch=after_epoch)
    assert len(run.history.records) == 3


def test_mlflow_that_cannot_be_used_is_refused_before_training(
    tmp_path: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec()
    module = make_module(spec)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://here")
    with pytest.raises(DataError, match=r"MLflow keeps no run: .*; MLFLOW_TRACKING_URI says where"):
        quiet(spec, module, out=tmp_path / "run", log="mlflow")
    assert not module.calls


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_package_that_is_missing_is_named_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for module_name in [m for m in sys.modules if m.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module_name)
    monkeypatch.setitem(sys.modules, name, None)
    spec = make_spec()
    module = make_module(spec)
    with pytest.raises(ModuleError, match=rf'cannot be loaded: .*; run python -m pip install "\.\[{name}\]"'):
        quiet(spec, module, out=tmp_path, log=name)
    assert not module.calls


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    spec = make_spec()
    with pytest.raises(SymgradError, match="log is 'wandb'; expected tensorboard or mlflow"):
        quiet(spec, make_module(spec), out=tmp_path, log=["wandb"])
    with pytest.raises(SymgradError, match="log: tensorboard without a run folder; name one: out="):
        quiet(spec, make_module(spec), log="tensorboard")


def test_a_log_may_be_named_when_a_run_goes_on(tmp_path: Path) -> None:
    """It gets the epochs made before, and belongs to the run from then on."""
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    spec = make_spec(epochs=2)
    quiet(spec, make_module(spec), out=tmp_path)
    more: dict[str, Any] = {"data": blobs(), "progress": False}
    resume(spec, make_module(spec), tmp_path, *newest(tmp_path), epochs=3, log=["tensorboard"], **more)
    assert len(scalars(tmp_path)["loss"]) == 3
    resume(spec, make_module(spec), tmp_path, *newest(tmp_path), epochs=4, **more)
    assert len(scalars(tmp_path)["loss"]) == 4
