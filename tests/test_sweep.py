"""Sweeps: the same table whoever makes the trials, in whatever order, and whatever stops them."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import sys
import threading
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import sweeps
from click.testing import CliRunner
from kills import EVENTS, ended, forked
from seeds import SEED
from sweeps import SPEC, Imagined, deadly, formula, heeding_interrupts, written_spec

import symgrad as sg
from symgrad.cli import main
from symgrad.sweeping import sweep as entry
from symgrad.sweeping import sweep_result
from symgrad.sweeping.sweep_journal import JOURNAL, read_journal
from symgrad.sweeping.sweep_metrics import SweepMetric
from symgrad.sweeping.sweep_result import Sweep, in_order
from symgrad.sweeping.varied.sweep_axes import ListedValues, ValueRange
from symgrad.sweeping.working import joblib_workers, sweep_trial
from symgrad.sweeping.working.sweep_trial import TrialRow
from symgrad.training.run_folder import run_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.sweeping.working.sweep_trial import TrialOrder

OVER = {"optimizer.learning_rate": "0.1,0.2,0.4,1.6", "seed": "0..2"}


def table(sweep: Any) -> list[Any]:
    """All of a sweep that must not change: neither times nor who worked."""
    return [(row.number, dict(row.values), row.state, row.value, row.reason) for row in sweep.rows]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweeps")
    written_spec(folder)
    return folder


@pytest.fixture
def imagined(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let such workers make the trials."""
    monkeypatch.setattr(sweep_result, "sweep_figure", lambda _: None)  # pictures take longest

    def use(workers: int = 1, seed: int = 0, begun: Callable[[int], None] = lambda _: None) -> None:
        monkeypatch.setattr(entry, "_workers", lambda *_: Imagined(workers, seed, begun))

    use()
    return use


def swept(place: Path, out: Path, **options: Any) -> Any:
    over = options.pop("over", OVER)
    return sg.sweep(place / "tiny.yaml", over, out=out, progress=False, **options)


def test_any_number_of_workers_makes_the_same_table(
    place: Path, tmp_path: Path, imagined: Callable[..., None]
) -> None:
    expected, rng = {}, random.Random(SEED)
    for number in range(8):
        sampler = ("grid", "random")[number % 2]
        options = {"sampler": sampler, "trials": None if sampler == "grid" else 7, "seed": 5}
        imagined(rng.randrange(1, 7), rng.randrange(1000))
        found = swept(place, tmp_path / str(number), **options)
        assert table(found) == expected.setdefault(sampler, table(found))
        values = [row.value for row in found.rows if row.value is not None]
        assert values == sorted(values)
        assert found.is_complete
        kept = (tmp_path / str(number) / "best" / "checkpoint.npz").read_text()
        best = found.best.values
        assert kept == f"{best['optimizer.learning_rate']} {best['seed']}"


def test_equal_values_are_in_the_order_of_trials(place: Path, tmp_path: Path, imagined: Any) -> None:
    found = swept(place, tmp_path / "s")
    order = [(row.value is None, row.value or 0, row.number) for row in found.rows]
    assert order == sorted(order)
    assert [row.state for row in found.rows].count("diverged") == 1


def stopped_at(place: Path, out: Path, point: int) -> bool:
    """Kill a sweep just before its so many-th step on files of its folder; whether it came so far."""
    seen = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in {*EVENTS, "shutil.rmtree"} and any(str(out) in str(a) for a in arguments):
            seen += 1
            if seen == point:
                os._exit(9)

    def work() -> None:
        sys.addaudithook(watch)
        swept(place, out)

    return ended(forked(work)) != 0


def test_a_sweep_killed_at_any_step_comes_to_the_same(
    place: Path, tmp_path: Path, imagined: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.setitem(OVER, "seed", "0,1")
    expected = table(swept(place, tmp_path / "whole"))
    again: list[int] = []
    point, tried = 1, 0
    while stopped_at(place, out := tmp_path / f"killed {point}", point):
        again.clear()
        imagined(2, point, again.append)
        if not (out / JOURNAL).exists():
            found, before = swept(place, out), {}
        else:
            before = dict(read_journal(out).rows)
            found = sg.sweep(resume=out, progress=False)
        assert table(found) == expected
        repeated = [number for number in again if number in before]
        assert len(repeated) <= 1, "the best, whose run was being replaced, at most"
        assert len(again) == len(set(again))
        assert (out / "best" / "checkpoint.npz").read_text() == "0.2 0"
        imagined()
        tried += 1
        point += 1 + point // 5
    assert tried > 8


def test_a_line_that_is_cut_off_or_damaged_costs_its_trial_alone(
    place: Path, tmp_path: Path, imagined: Callable[..., None]
) -> None:
    expected = table(swept(place, tmp_path / "whole"))
    content, rng = (tmp_path / "whole" / JOURNAL).read_bytes(), random.Random(SEED)
    header = content.index(b"\n") + 1
    refused = 0
    for number in range(20):
        out = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", out)
        damaged = bytearray(content)
        at = rng.randrange(len(content)) if number % 4 else rng.randrange(header)
        if number % 2:
            del damaged[at:]
        else:
            damaged[at] ^= 1 << rng.randrange(8)
        (out / JOURNAL).write_bytes(damaged)
        again: list[int] = []
        imagined(1, 0, again.append)
        if at < header - (number % 2):
            with pytest.raises(
                sg.DataError, match=r"journal.jsonl:1: what the sweep was told cannot be read"
            ):
                sg.sweep(resume=out, progress=False)
            refused += 1
            continue
        with pytest.warns() if not number % 2 and damaged[-1:] == b"\n" else contextless():
            found = sg.sweep(resume=out, progress=False)
        assert table(found) == expected
        assert again
    assert 4 < refused < 18


@pytest.mark.parametrize("line", [b"00000000 \n", b"00000000\n", b"\0" * 4096 + b"\n"])
def test_a_line_of_nothing_is_damaged(place: Path, tmp_path: Path, imagined: Any, line: bytes) -> None:
    expected = table(swept(place, tmp_path / "s"))
    with (tmp_path / "s" / JOURNAL).open("ab") as file:
        file.write(line)
    with pytest.warns(sg.DataWarning, match="this line is damaged"):
        assert table(sg.sweep(resume=tmp_path / "s", progress=False)) == expected


@pytest.mark.parametrize("note", ['{"trial": 1e999}', "[" * 100_000, "[1]", ""])
def test_the_best_run_is_made_again_where_its_note_is_damaged(
    place: Path, tmp_path: Path, imagined: Any, note: str
) -> None:
    expected = table(swept(place, tmp_path / "s"))
    file = tmp_path / "s" / "best" / "trial.json"
    before = file.read_text()
    file.write_text(note)
    assert table(sg.sweep(resume=tmp_path / "s", progress=False)) == expected
    assert file.read_text() == before


def contextless() -> Any:
    from contextlib import nullcontext

    return nullcontext()


def test_what_cannot_go_on_is_refused(place: Path, tmp_path: Path, imagined: Any) -> None:
    out = tmp_path / "s"
    first = swept(place, out, sampler="random", trials=6)
    with pytest.raises(sg.DataError, match=r"there is a sweep in this folder; --resume .* goes on with it"):
        swept(place, out)
    with pytest.raises(sg.SpecError, match="this sweep has 6 trials"):
        sg.sweep(resume=out, trials=5)
    more = sg.sweep(resume=out, trials=9, progress=False)
    assert [row for row in table(more) if row[0] < 6] == sorted(table(first), key=table(more).index)
    assert len(sg.sweep(resume=out, progress=False).rows) == 9
    with pytest.raises(sg.DataError, match="seed does not go with resume"):
        sg.sweep(resume=out, seed=3)
    with pytest.raises(sg.DataError, match="there is no sweep here"):
        sg.sweep(resume=place)
    with pytest.raises(sg.DataError, match="there is no such folder"):
        sg.sweep(resume=tmp_path / "nowhere")
    before = (place / "tiny.csv").read_text()
    (place / "tiny.csv").write_text(before.replace("0.5", "0.6"))
    with pytest.raises(sg.DataError, match="the data are not those that this sweep was begun with"):
        sg.sweep(resume=out)
    (place / "tiny.csv").write_text(before)


def test_one_folder_has_one_sweep_at_a_time(place: Path, tmp_path: Path, imagined: Any) -> None:
    out, inside, leave = tmp_path / "s", threading.Event(), threading.Event()

    def hold() -> None:
        with run_folder(out):
            inside.set()
            leave.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(30)
    with pytest.raises(sg.DataError, match="another training or sweep writes into this folder"):
        swept(place, out)
    leave.set()
    holder.join()


def test_what_no_spec_can_have_together_is_a_row(place: Path, tmp_path: Path, imagined: Any) -> None:
    over = {"optimizer": "sgd,momentum", "optimizer.momentum": "0.5,0.9"}
    found = swept(place, tmp_path / "s", over=over)
    refused = [row for row in found.rows if row.state == "refused"]
    assert [row.values["optimizer"] for row in refused] == ["sgd", "sgd"]
    assert all("sgd has no argument 'momentum'" in row.reason for row in refused)
    assert "2 refused" in str(found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "held_out_acuracy"}, "metric: 'held_out_acuracy' is not measured"),
        ({"metric": "held_out_accuracy"}, "'held_out_accuracy' is not measured when tiny is trained"),
        ({"metric": "held_out_los"}, "trained; did you mean 'held_out_loss'"),
        ({"metric": "held_out_f2"}, "metric: .*; did you mean 'held_out_(f1|r2)'"),
        ({"metric": "held_out_max_error"}, "trained; did you mean 'held_out_neg_max_error'"),
        ({"metric": "held_out_f1_makro"}, "trained; did you mean 'held_out_f1_macro'"),
        ({"metric": "training_los"}, "did you mean 'training_loss'"),
        ({"metric": "loss"}, "'loss' is not measured"),
        ({"metric": "trained_epochs"}, "say --minimize or --maximize"),
        ({"metric": "held_out_loss", "direction": "maximize"}, "of held_out_loss less is better"),
        ({"direction": "down"}, "direction is 'down'"),
        ({"sampler": "annealing"}, "sampler is 'annealing'"),
        ({"trials": 0, "sampler": "random"}, "trials is 0"),
        ({"threads": 1.5}, "threads is 1.5"),
        ({"workers": -1}, "workers is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"data": "nowhere.csv"}, "nowhere.csv"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    place: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(sg.SymgradError, match=message):
        swept(place, tmp_path / "s", **options)
    assert not (tmp_path / "s").exists()


def test_a_trial_that_kills_its_processes_is_lost_and_the_others_are_not(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real processes of joblib, killed by SIGKILL."""
    monkeypatch.setattr(joblib_workers, "run_trial", deadly)
    monkeypatch.setattr(joblib_workers, "TRIES", 2)
    monkeypatch.setattr(sweep_result, "sweep_figure", lambda _: None)
    over = {"optimizer.learning_rate": "0.1,0.2", "seed": "0,1"}
    found = swept(place, tmp_path / "s", over=over, workers=2)
    rows = {row.number: row for row in found.rows}
    assert rows[2].state == "lost"
    assert rows[2].reason == "the process that made it died 2 times: killed, or out of memory"
    assert all(row.state == "finished" for number, row in rows.items() if number != 2)
    monkeypatch.setattr(joblib_workers, "run_trial", formula)
    again = sg.sweep(resume=tmp_path / "s", progress=False, workers=1)
    assert [row.state for row in again.rows] == ["finished"] * 4


def no_room(path: Path) -> None:
    """What files.py makes of a full disk, whose reason some keep and some hide."""
    try:
        raise OSError(errno.ENOSPC, "No space left on device")
    except OSError as error:
        raise sg.DataError("cannot be written", at=str(path)) from (error if path.name else None)


@pytest.mark.parametrize("name", ["run", ""])
def test_a_trial_whose_disk_was_full_is_made_again(
    place: Path, tmp_path: Path, imagined: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sweep_trial, "settle", lambda *_, **__: None)
    monkeypatch.setattr(sweep_trial, "_trained", lambda *_: no_room(Path(name)))
    monkeypatch.setattr(sweeps, "formula", sweep_trial.run_trial)
    full = swept(place, tmp_path / "s", over={"seed": "0..2"})
    assert [(row.state, row.reason) for row in full.rows] == [
        ("lost", f"{Path(name)}: cannot be written")
    ] * 3
    assert "makes those again that are lost" in " ".join(str(full).split())
    monkeypatch.setattr(sweeps, "formula", formula)
    again = sg.sweep(resume=tmp_path / "s", progress=False)
    assert [row.state for row in again.rows] == ["finished"] * 3
    assert "makes those again" not in str(again)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other interrupts")
def test_an_interrupt_is_not_for_workers_from_their_first_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """While they import, each would end with a traceback."""
    monkeypatch.setattr(joblib_workers, "_begin_worker", int)
    monkeypatch.setattr(joblib_workers, "run_trial", heeding_interrupts)
    before = signal.getsignal(signal.SIGINT)
    workers = joblib_workers.JoblibWorkers(1, 1)
    try:
        workers.begin(cast("TrialOrder", SimpleNamespace(number=0)))
        assert signal.getsignal(signal.SIGINT) is before
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        (ended_trial,) = workers.ended()
        assert ended_trial.outcome.numbers == {"heeds": 0.0}
    finally:
        workers.close()


def test_an_interrupted_sweep_ends_its_workers_before_it_writes(
    place: Path, tmp_path: Path, imagined: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    class Interrupted(Imagined):
        def ended(self) -> Any:
            raise KeyboardInterrupt

        def close(self) -> None:
            done.append("closed")

    monkeypatch.setattr(entry, "_workers", lambda *_: Interrupted(1, 0))
    monkeypatch.setattr(entry, "written", lambda sweep: done.append("written") or sweep)
    assert swept(place, tmp_path / "s").notes == ("interrupted",)
    assert done[:2] == ["closed", "written"]


def test_joblib_trains_what_train_does(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row beside a spec that was written with its values, trained by itself."""
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir(mode=0o700)
    spec, out = str(place / "tiny.yaml"), tmp_path / "s"
    over = [
        *("--over", "optimizer.learning_rate=0.01,1e90", "--over", "seed=1,2"),
        *("--over", "layers.0.units=2,3"),
    ]
    told = ["sweep", spec, *over, "--metric", "held_out_r2", "--out", str(out), "--workers", "2", "--json"]
    answer = CliRunner().invoke(main, told)
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert len(found["rows"]) == 8
    assert {row["state"] for row in found["rows"] if row["values"]["optimizer.learning_rate"] == 1e90} == {
        "diverged"
    }
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    for row in found["rows"]:
        if row["state"] == "finished":
            assert row["held_out_r2"] == by_itself(row["values"], place).validation.r2
    best = found["best"]
    assert best == found["rows"][0]
    names = ["trials.csv", "trials.parquet", "trials.png", "best"]
    assert [Path(path).name for path in found["paths"]] == names
    predicted = CliRunner().invoke(main, ["predict", str(out / "best"), str(place / "tiny.csv")])
    assert predicted.exit_code == 0, predicted.output
    expected = by_itself(best["values"], place).predict([[0.5]])
    assert sg.open_run(out / "best").predict([[0.5]]) == expected
    exported = CliRunner().invoke(main, ["export", str(out / "best"), str(tmp_path / "best.safetensors")])
    assert exported.exit_code == 0, exported.output


@cache
def built(rate: float, units: int) -> Any:
    """A spec with these values, and its module."""
    train = {**SPEC["train"], "optimizer": f"sgd(learning_rate={rate})"}
    layers = [f"dense({units}, activation=tanh)", "dense(1)"]
    spec = {**SPEC, "layers": layers, "train": train}
    return spec, sg.build(spec, identity=False)


def by_itself(values: dict[str, Any], place: Path) -> Any:
    """A training of a spec with these values, and with nothing of sweeps in it."""
    spec, module = built(values["optimizer.learning_rate"], values["layers.0.units"])
    return sg.train(spec, module, data=place / "tiny.csv", seed=values["seed"], progress=False)


def drawn_axis(rng: random.Random, path: str) -> Any:
    """An axis of some kind: numbers, words, truths, lists, ranges, or one value."""
    kinds: list[Any] = [
        ListedValues(path, tuple(rng.sample(range(-5, 50), rng.randrange(1, 7)))),
        ListedValues(path, (True, False, None)),
        ListedValues(path, ("adam", "sgd(learning_rate=0.1, weight_decay=$x_1$)")),
        ListedValues(path, (32, "full")),
        ListedValues(path, ([], ["W1"])),
        ValueRange(path, 1e-4, 1.0, True, False),
        ValueRange(path, 1, 64, False, True),
        ListedValues(path, (5,)),
    ]
    return rng.choice(kinds)


def test_a_trial_whose_equations_are_not_solved_says_so(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir(mode=0o700)
    solved = {"solve": "cos(z[n,i]) + x[n,i]", "start": 0, "method": "newton", "steps": 2}
    spec = {**SPEC, "parameters": {"w": {"axes": [1], "init": 1}}, "loss": "mean((y - t)**2)"}
    spec["equations"] = {"z[n,i]": solved, "y": "z * w"}
    del spec["layers"]
    (place / "solved.yaml").write_text(json.dumps(spec), encoding="utf-8")
    over = {"equations.z[n,i].steps": "2,20"}
    found = sg.sweep(place / "solved.yaml", over, out=tmp_path / "s", workers=2, progress=False)
    reasons = {row.values["equations.z[n,i].steps"]: row.reason for row in found.rows}
    assert {row.state for row in found.rows} == {"finished"}
    assert reasons[20] == ""
    assert "'z' is not solved: the last of 2 steps changes it by" in reasons[2]
    assert "trial 0: 'z' is not solved: the last of 2 steps" in " ".join(str(found).split())
    assert reasons[2] in (tmp_path / "s" / "trials.csv").read_text()


def test_whatever_was_found_is_drawn_and_written(tmp_path: Path) -> None:
    """Values of every kind, trials of which some, one or none has a value."""
    rng = random.Random(SEED)
    for number in range(12):
        axes = tuple(drawn_axis(rng, f"optimizer.a{k}") for k in range(number % 4 + 1))
        rows = []
        for trial in range(rng.choice([1, 2, 30])):
            found = {0: 10 ** rng.uniform(-6, 6), 1: rng.gauss(0, 1) if trial == 0 else None}
            value = found.get(number % 5, 0.5 if number % 2 else None)
            values = {axis.path: axis.at(rng.random()) for axis in axes}
            state: Any = "diverged" if value is None else "finished"
            numbers = {} if value is None else {"held_out_loss": value}
            rows.append(TrialRow(trial, values, state, value, numbers, "", 1.0, 1, "here"))
        metric = SweepMetric("held_out_loss", rng.choice(["minimize", "maximize"]))
        sweep = Sweep("net_$a$", axes, metric, in_order(rows, metric), len(rows), tmp_path)
        for name in ("s.svg", "s.csv", "s.parquet", "s.json"):
            write = sweep.write_picture if name == "s.svg" else sweep.write_csv
            write(tmp_path / name)
            assert (tmp_path / name).stat().st_size
        assert str(sweep).startswith(f"net_$a$: {len(rows)} trial")
        assert json.dumps(sweep.as_dict(), allow_nan=False)
        assert (tmp_path / "s.csv").read_text().count("\n") == len(rows) + 1


def test_the_best_mean_of_seeds_is_told(place: Path, tmp_path: Path, imagined: Any) -> None:
    found = swept(place, tmp_path / "s", over={"optimizer.learning_rate": "0.2,0.4,1.6", "seed": "0..2"})
    said = "best mean of 3 seeds: optimizer.learning_rate=0.2: 1, standard deviation 1"
    assert said in str(found)
    found = swept(place, tmp_path / "t", over={"seed": "0..2"})
    assert "best mean" not in str(found)


def test_rows_that_are_in_no_file_are_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(sg.DataError, match="the data are a dict in memory; write them to a file"):
        swept(place, tmp_path / "s", data={"x": [1.0], "t": [2.0]})
