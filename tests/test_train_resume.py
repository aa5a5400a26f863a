"""A run that was stopped, however and whenever, comes to the same end when it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from building import interpreted
from click.testing import CliRunner
from stub_module import blobs, make_module, make_spec, quiet

import symgrad as sg
from symgrad.cli import main
from symgrad.errors import DataError, DataWarning
from symgrad.spec.model import CheckpointSpec, StopSpec
from symgrad.training.resuming import newest
from symgrad.training.run import RunNotWrittenError
from symgrad.training.train import resume

if TYPE_CHECKING:
    from types import ModuleType

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
EVERY = CheckpointSpec(epochs=1, keep=3)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("symgrad.training.run.plot_history", lambda *_: None)


def facts(run: Any) -> Any:
    """All that must be the same to the last bit."""
    kept, records = run.checkpoint, run.history.records
    arrays = [array.tobytes() for array in (*kept.fitted, *kept.state)]
    return arrays, kept.epoch, run.best_epoch, [{**vars(record), "seconds": 0} for record in records]


def go_on(spec: Any, module: ModuleType, folder: Path, **options: Any) -> Any:
    options = {"data": blobs(), **options}
    return resume(spec, module, folder, *newest(folder), progress=False, **options)


def stopped(folder: Path, epoch: int = 3, **plan: Any) -> tuple[Any, ModuleType]:
    """A run that dies in the epoch after this one."""
    spec = make_spec(**{"epochs": 6, "checkpoint": EVERY, **plan})
    module = make_module(spec)
    plain = module.train_epoch

    def dying(*arrays: Any, **options: Any) -> float:
        if options["epoch"] == epoch:
            raise SystemExit
        return float(plain(*arrays, **options))

    module.train_epoch = dying
    with pytest.raises(SystemExit):
        quiet(spec, module, out=folder)
    module.train_epoch = plain
    return spec, module


PLANS: list[dict[str, Any]] = [
    {},
    {"shuffle": "once"},
    {"batch_size": "full", "validation": 0.25, "standardize": True},
    {"validation": 0.25, "stop": StopSpec(patience=2), "epochs": 20},
    {"stop": StopSpec(tolerance=0.05, patience=2), "epochs": 20},
]


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("epoch", [0, 1, 3])
def test_wherever_it_stops_it_comes_to_the_same(tmp_path: Path, epoch: int, plan: dict[str, Any]) -> None:
    spec, module = stopped(tmp_path, epoch, **plan)
    again = go_on(spec, module, tmp_path)
    assert facts(again) == facts(quiet(spec, make_module(spec)))
    assert facts(go_on(spec, module, tmp_path)) == facts(again), "the end is the end"


@posix
def test_killed_at_every_point_where_it_writes_and_at_random_moments() -> None:
    """Each step of every file, by a kill, Ctrl-C and a full disk: see `tests/kills.py`."""
    command = [sys.executable, str(Path(__file__).with_name("kills.py")), "--points", "--small", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for how in ("killed", "interrupted", "the disk full for a moment"):
        assert f"{how} at 6" in done.stdout, done.stdout
    assert "small, killed 5 times at random moments: no runs are wrong" in done.stdout


def test_more_epochs_may_follow(tmp_path: Path) -> None:
    spec = make_spec(epochs=4, checkpoint=EVERY)
    module = make_module(spec)
    quiet(spec, module, out=tmp_path)
    longer = go_on(spec, module, tmp_path, epochs=7)
    assert facts(longer) == facts(quiet(spec, make_module(spec), epochs=7))
    assert facts(go_on(spec, module, tmp_path)) == facts(longer), "what was said last is kept"


def test_it_is_kept_as_often_as_the_spec_says(tmp_path: Path) -> None:
    cases = {
        "epochs": (CheckpointSpec(epochs=3, keep=2), [6, 7]),
        "minutes": (CheckpointSpec(minutes=1e-9, keep=3), [5, 6, 7]),
        "neither": (CheckpointSpec(), [0, 7]),
        "both": (CheckpointSpec(epochs=5, minutes=60.0, keep=9), [0, 5, 7]),
    }
    for name, (checkpoint, kept) in cases.items():
        spec = make_spec(epochs=7, checkpoint=checkpoint)
        quiet(spec, make_module(spec), out=tmp_path / name)
        found = sorted(file.stem for file in (tmp_path / name / "checkpoints").iterdir())
        assert found == [f"epoch-{epoch:07}" for epoch in kept], name


def test_what_is_said_where_other_ranks_go_on(tmp_path: Path) -> None:
    """The ranks that made the last epochs before are told, where there are some and others follow."""

    def notes(folder: Path, spec: Any, module: ModuleType) -> str:
        checkpoint, orders = newest(folder)
        begun = (checkpoint, replace(orders, ranks=2))
        return " ".join(resume(spec, module, folder, *begun, data=blobs(), progress=False).notes)

    spec, module = stopped(tmp_path / "later")
    said = "the epochs before were made by 2 ranks, those now by 1 rank: the last digits may differ"
    assert said in notes(tmp_path / "later", spec, module)
    found = notes(tmp_path / "later", spec, module)
    assert "nothing was left" in found
    assert "ranks" not in found
    assert "ranks" not in notes(tmp_path / "at once", *stopped(tmp_path / "at once", epoch=0))


def test_what_is_stopped_in_its_next_epoch_was_not_finished(tmp_path: Path) -> None:
    spec, module = stopped(tmp_path)
    plain = module.train_epoch

    def interrupted(*_: Any, **__: Any) -> float:
        raise KeyboardInterrupt

    module.train_epoch = interrupted  # type: ignore[attr-defined]
    run = go_on(spec, module, tmp_path)
    assert run.stop_reason == "interrupted"
    assert "nothing was left" not in str(run.notes)
    module.train_epoch = plain  # type: ignore[attr-defined]
    assert "nothing was left" not in str(go_on(spec, module, tmp_path).notes)


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        (StopSpec(tolerance=0.05), "converged"),
        (StopSpec(tolerance=100.0, patience=3), "converged"),
        (StopSpec(patience=1), "no progress"),
        (StopSpec(time_limit=1e-9), "time limit"),
    ],
)
def test_a_run_that_stopped_before_its_last_epoch_does_not_go_on_for_more(
    tmp_path: Path, stop: StopSpec, reason: str
) -> None:
    spec = make_spec(epochs=200, checkpoint=EVERY, stop=stop)
    module = make_module(spec)
    run = quiet(spec, module, out=tmp_path)
    for more in ({}, {"epochs": 300}):
        again = go_on(spec, module, tmp_path, **more)
        assert (run.stop_reason, again.stop_reason) == (reason, reason)
        assert len(again.history.records) == len(run.history.records) < 200
        [note] = [found for found in again.notes if "nothing was left to do" in found]
        assert "it had stopped before: nothing was left to do, and more --epochs change nothing" in note
        assert f"--params-from {tmp_path / 'checkpoint.npz'} begins anew" in note


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path: Path) -> None:
    expected = facts(quiet(make_spec(epochs=6), make_module(make_spec())))
    spec, module = stopped(tmp_path, epoch=4)
    files = sorted((tmp_path / "checkpoints").iterdir())
    whole = files[-1].read_bytes()
    for place in range(
        0, len(whole) - 40, len(whole) // 9
    ):  # the rest of its bytes: see test_module_checkpoints
        turned = bytes(byte ^ 255 for byte in whole[place : place + 40])
        files[-1].write_bytes(whole[:place] + turned + whole[place + 40 :])
        with pytest.warns(
            DataWarning, match=rf"{files[-1].name}: cannot be used: it is damaged.*{files[-2].name}"
        ):
            assert newest(tmp_path)[0] == files[-2]
    with pytest.warns(DataWarning, match="is damaged"):
        run = go_on(spec, module, tmp_path)
    assert facts(run) == expected
    assert files[-1].with_suffix(".damaged").exists()
    assert facts(go_on(spec, module, tmp_path)) == expected, "the damaged one is out of the way"


def test_where_all_are_damaged_each_is_named(tmp_path: Path) -> None:
    stopped(tmp_path)
    files = list((tmp_path / "checkpoints").iterdir())
    for file in files:
        file.write_bytes(b"PK" + bytes(100))
    with pytest.raises(DataError, match="no checkpoint can be used") as caught:
        newest(tmp_path)
    assert all(file.name in str(caught.value) for file in files)
    with pytest.raises(DataError, match="there is no training here to go on with"):
        newest(tmp_path / "elsewhere")


def test_changed_data_are_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    spec, module = stopped(tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for data in (blobs(seed=8), blobs(rows=44)):
        with pytest.raises(DataError, match="the data are not those that this run was trained on"):
            go_on(spec, module, tmp_path, data=data)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert facts(go_on(spec, module, tmp_path)) == facts(quiet(spec, make_module(spec)))


def test_another_network_or_number_type_is_refused(tmp_path: Path) -> None:
    spec, module = stopped(tmp_path)
    module.NETWORK_SHA256 = "c" * 64
    with pytest.raises(DataError, match="another network, 'stub'"):
        go_on(spec, module, tmp_path)
    narrow = make_spec(dtype="float32", checkpoint=EVERY)
    with pytest.raises(DataError, match="trained in float64, the module computes in float32"):
        go_on(narrow, make_module(narrow), tmp_path, data=blobs(dtype="float32"))


def test_a_new_run_keeps_what_an_earlier_one_could_go_on_from(tmp_path: Path) -> None:
    stopped(tmp_path)
    kept = sorted(file.name for file in (tmp_path / "checkpoints").iterdir())
    spec = make_spec(epochs=2)
    quiet(spec, make_module(spec), out=tmp_path)
    assert sorted(file.name for file in (tmp_path / "checkpoints.before").iterdir()) == kept
    quiet(spec, make_module(spec), out=tmp_path)
    assert len([*tmp_path.glob("checkpoints*")]) == 2


def test_a_disk_that_stays_full_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, module = stopped(tmp_path)
    file, _ = newest(tmp_path)
    sync, calls = os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.warns(DataWarning, match="No space left on device; training goes on, and tries again after"),
        pytest.warns(DataWarning, match="no checkpoint of epoch [456]: cannot be written: No space left"),
        pytest.raises(RunNotWrittenError, match="No space left on device") as caught,
    ):
        go_on(spec, module, tmp_path)
    expected = facts(quiet(spec, make_module(spec)))
    assert facts(caught.value.run) == expected
    assert newest(tmp_path)[0] == file
    with pytest.raises(DataError, match="No space left on device"):
        quiet(spec, module, out=tmp_path / "another")
    assert module.calls[-1][0] == 5, "where nothing can be written nothing is trained"
    monkeypatch.setattr(os, "fsync", sync)
    assert facts(go_on(spec, module, tmp_path)) == expected


def test_what_is_on_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a power cut: contents are synced before they get their name, the folder after, then others go."""
    steps: list[str] = []
    for name in ("fsync", "replace", "unlink"):
        plain = getattr(os, name)

        def noted(*arguments: Any, _plain: Any = plain, _name: str = name, **options: Any) -> Any:
            steps.append(_name)
            return _plain(*arguments, **options)

        monkeypatch.setattr(os, name, noted)
    spec = make_spec(epochs=3, checkpoint=CheckpointSpec(epochs=1, keep=1))
    quiet(spec, make_module(spec), out=tmp_path)
    folder = [] if sys.platform == "win32" else ["fsync"]
    whole = ["fsync", "replace", *folder]
    assert steps == [*whole, *2 * whole, *3 * [*whole, "unlink"], *4 * whole]


SPEC: dict[str, Any] = {
    "name": "line",
    "dtype": "float64",
    "inputs": {"x": ["n", 2]},
    "targets": {"t": ["n", 1]},
    "layers": ["dense(3, activation=tanh)", "dense(1)"],
    "loss": "mse",
    "train": {
        "data": "rows.csv",
        "epochs": 40,
        "batch_size": 4,
        "optimizer": "adam(0.02)",
        "schedule": "cosine(learning_rate)",
        "standardize": True,
        "validation": 0.2,
    },
}


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """The file of a spec, its data and its module beside it."""
    x = np.random.default_rng(2).normal(size=(30, 2))
    rows = [f"{a!r},{b!r},{a - b!r}" for a, b in x.tolist()]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,t", *rows]))
    (tmp_path / "line.yaml").write_text(json.dumps(SPEC))
    sg.generate(tmp_path / "line.yaml", tmp_path / "line.py", identity=False)
    return tmp_path / "line.yaml"


def begun(line: Path, out: Path, epochs: int = 3) -> ModuleType:
    """A run of so many epochs, which might have been more."""
    module = interpreted(line.with_suffix(".py"))
    sg.train(line, module, out=out, epochs=epochs, progress=False)
    return module


def test_a_run_knows_its_spec_and_data(line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = begun(line, tmp_path / "run")
    line.write_text(line.read_text().replace("0.02", "0.5"))
    monkeypatch.chdir("/")
    run = sg.train(module=module, resume=tmp_path / "run", epochs=5, progress=False)
    line.write_text(json.dumps(SPEC))
    assert facts(run) == facts(sg.train(line, module, epochs=5, progress=False))


def test_hyper_parameters_are_remembered(line: Path, tmp_path: Path) -> None:
    module, hyper = interpreted(line.with_suffix(".py")), {"learning_rate": 0.1, "b1": 0.5}
    sg.train(line, module, out=tmp_path / "run", epochs=2, hyper=hyper, progress=False)
    run = sg.train(module=module, resume=tmp_path / "run", epochs=4, progress=False)
    assert facts(run) == facts(sg.train(line, module, epochs=4, hyper=hyper, progress=False))


def test_what_stands_in_the_way_is_told(line: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    module = begun(line, run)
    with pytest.raises(DataError, match="there is no such folder"):
        sg.train(resume=tmp_path / "none")
    for option in ({"seed": 1}, {"out": tmp_path}, {"hyper": {"b1": 0.8}}, {"params_from": "a.npz"}):
        with pytest.raises(DataError, match=f"{next(iter(option))} does not go with resume"):
            sg.train(module=module, resume=run, **option)  # type: ignore[arg-type]  # one of each kind
    with pytest.raises(DataError, match="another text"):
        sg.train(SPEC | {"name": "line", "outputs": []}, module, resume=run)
    rows = (tmp_path / "rows.csv").read_text()
    (tmp_path / "rows.csv").write_text(rows.replace("a,b,t", "a,b,t\n1,2,3"))
    with pytest.raises(DataError, match="the data are not those"):
        sg.train(line, module, resume=run)
    (tmp_path / "rows.csv").unlink()
    with pytest.raises(DataError, match=r"rows\.csv"):
        sg.train(module=module, resume=run)
    (tmp_path / "moved.csv").write_text(rows)
    again = sg.train(line, module, resume=run, data=tmp_path / "moved.csv", progress=False)
    assert len(again.history.records) == 3


def test_an_edited_module_is_told(line: Path, tmp_path: Path) -> None:
    begun(line, tmp_path / "run")
    text = line.with_suffix(".py").read_text() + "\n# by hand\n"
    line.with_suffix(".py").write_text(text)
    with pytest.warns(DataWarning, match="the module is not the one that this run was begun with"):
        sg.train(module=interpreted(line.with_suffix(".py")), resume=tmp_path / "run", progress=False)


@posix
def test_the_command_goes_on_after_a_kill(line: Path, tmp_path: Path) -> None:
    slow = "\n_train_on = train_epoch\n\n\ndef train_epoch(*a, **o):\n    import time\n    time.sleep(0.02)\n"
    file = line.with_suffix(".py")
    file.write_text(file.read_text() + slow + "    return _train_on(*a, **o)\n")
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "MPLBACKEND": "agg"}
    command = [sys.executable, "-m", "symgrad", "train"]
    options = [
        "line.yaml",
        "--module",
        "line.py",
        "--no-verify",
        "--out",
        "run",
        "--checkpoint-every",
        "1",
        "-q",
    ]
    with subprocess.Popen([*command, *options], cwd=tmp_path, env=environment) as child:
        while not (tmp_path / "run" / "checkpoints" / "epoch-0000004.npz").exists():
            assert child.poll() is None
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    assert not (tmp_path / "run" / "checkpoint.npz").exists()
    assert sg.open_run(tmp_path / "run", interpreted(file)).epoch >= 4, "it predicts all the same"
    done = subprocess.run(
        [*command, "--resume", "run"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "goes on from run/checkpoints/epoch-" in done.stderr
    module = interpreted(file)
    expected = sg.train(line, module, progress=False)
    found = sg.load_checkpoint(tmp_path / "run" / "checkpoint.npz", module)
    assert [a.tobytes() for a in found.fitted] == [a.tobytes() for a in expected.checkpoint.fitted]
    columns = json.loads((tmp_path / "run" / "history.json").read_text())["columns"]
    assert columns["validation_loss"] == expected.history.columns()["validation_loss"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "which SPEC?"),
        (["--resume", "run", "--seed", "3"], "--seed does not go with --resume"),
        (["--resume", "run", "--set", "optimizer.b1=0.8"], "--set does not go with --resume"),
        (["--resume", "run", "--params-from", "a"], "--params-from does not go with --resume"),
        (["line.yaml", "--checkpoint-every", "often"], "'often' is neither"),
        (["line.yaml", "--checkpoint-every", "0"], "'0' is neither"),
        (["line.yaml", "--checkpoint-every", "-1min"], "'-1min' is neither"),
        (["line.yaml", "--rename", "W1=V"], "in --params-from FILE"),
        (["line.yaml", "--rename", "W1", "--params-from", "a"], "expected two names"),
    ],
)
def test_wrong_usage_of_the_command(line: Path, arguments: list[str], words: str) -> None:
    arguments = [str(line) if a == "line.yaml" else a for a in arguments]
    result = CliRunner().invoke(main, ["train", *arguments])
    assert result.exit_code == 2
    assert words in result.output
