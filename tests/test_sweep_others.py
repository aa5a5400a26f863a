"""Sweeps whose values Optuna proposes, with its journal file, and those that a scheduler of dask's makes."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from seeds import SEED
from sweeps import Imagined, deadly, formula, written_spec

import symgrad as sg
from symgrad.sweeping import sweep as entry
from symgrad.sweeping import sweep_result
from symgrad.sweeping.sampling import tpe_sampler
from symgrad.sweeping.sweep_journal import JOURNAL
from symgrad.sweeping.working import dask_workers, node_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OVER = {
    "optimizer.learning_rate": "1e-4..1e1:log",
    "seed": "0..5",
    "batch_size": "4,5,full",
    "epochs": "1..50:log",
    "freeze": "[],[W1],[b1]",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweeps")
    written_spec(folder)
    return folder


@pytest.fixture
def imagined(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setattr(sweep_result, "sweep_figure", lambda _: None)

    def use(workers: int = 1, seed: int = 0, begun: Callable[[int], None] = lambda _: None) -> None:
        monkeypatch.setattr(entry, "_workers", lambda *_: Imagined(workers, seed, begun))

    use()
    return use


def table(sweep: Any) -> list[Any]:
    return [(row.number, dict(row.values), row.state, row.value) for row in sweep.rows]


def proposed(place: Path, out: Path, trials: int = 15, **options: Any) -> Any:
    options = {"over": OVER, "sampler": "tpe", "seed": SEED % 1000, **options}
    return sg.sweep(place / "tiny.yaml", trials=trials, out=out, progress=False, **options)


def test_what_optuna_proposes_is_the_same_after_a_kill(place: Path, tmp_path: Path, imagined: Any) -> None:
    whole = proposed(place, tmp_path / "whole")
    assert table(proposed(place, tmp_path / "again")) == table(whole)
    other = proposed(place, tmp_path / "other", seed=SEED % 1000 + 1)
    assert table(other) != table(whole)
    lines = (tmp_path / "whole" / JOURNAL).read_bytes().splitlines(keepends=True)
    for cut in (1, 13, 15):
        out = tmp_path / f"cut {cut}"
        shutil.copytree(tmp_path / "whole", out)
        (out / JOURNAL).write_bytes(b"".join(lines[:cut]) + lines[cut][:30])
        again: list[int] = []
        imagined(begun=again.append)
        assert table(sg.sweep(resume=out, progress=False)) == table(whole)
        assert len(again) in (16 - cut, 17 - cut)  # the best once more where another's run was kept
    study = optuna.load_study(
        study_name="tiny",
        storage=optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(str(tmp_path / "cut 13" / tpe_sampler.FILE))
        ),
    )
    assert len(study.trials) == 15
    best = whole.best
    assert study.best_value == best.value
    assert {trial.user_attrs["trial"] for trial in study.trials} == set(range(15))


@pytest.mark.parametrize("name", ["optuna.journal", "optuna.journal.lock"])
def test_a_journal_of_optuna_that_cannot_be_written_is_told(
    place: Path, tmp_path: Path, imagined: Any, name: str
) -> None:
    out = tmp_path / "s"
    expected = table(proposed(place, out, trials=4))
    (out / name).unlink(missing_ok=True)
    (out / name).mkdir()
    with pytest.raises(sg.DataError, match=r"Optuna's journal cannot be written: .*; .*--resume .* goes on"):
        sg.sweep(resume=out, progress=False)
    (out / name).rmdir()
    assert table(sg.sweep(resume=out, progress=False)) == expected


def test_it_proposes_what_is_asked_for(place: Path, tmp_path: Path, imagined: Any) -> None:
    for row in proposed(place, tmp_path / "s").rows:
        assert 1e-4 <= row.values["optimizer.learning_rate"] <= 10
        assert row.values["seed"] in range(6)
        assert row.values["batch_size"] in (4, 5, "full")
        assert row.values["freeze"] in ([], ["W1"], ["b1"])
        assert type(row.values["epochs"]) is int


def test_it_learns(place: Path, tmp_path: Path, imagined: Any) -> None:
    """The best rates are a thirteenth of the range by its logarithm: chance would try them in 1.5 of 20."""
    found = proposed(place, tmp_path / "s", 40, over={"optimizer.learning_rate": "1e-4..1e1:log"}, seed=1)
    assert sum(row.value == 0 for row in found.rows if row.number >= 20) >= 5


def test_with_several_workers_a_sweep_is_whole(place: Path, tmp_path: Path, imagined: Any) -> None:
    imagined(3, 7)
    found = proposed(place, tmp_path / "s", over={"optimizer.learning_rate": "0.1,0.2,0.4", "seed": "0..2"})
    assert sorted(row.number for row in found.rows) == list(range(15))
    imagined(2, 1)
    assert len(sg.sweep(resume=tmp_path / "s", trials=18, progress=False).rows) == 18


def test_optuna_says_nothing_and_is_asked_for(
    place: Path,
    tmp_path: Path,
    imagined: Any,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = optuna.logging.get_verbosity()
    proposed(place, tmp_path / "s", trials=2)
    assert optuna.logging.get_verbosity() == before == logging.INFO
    assert capfd.readouterr().err == ""
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(sg.ModuleError, match=r'optuna is missing; run python -m pip install "\.\[sweep\]"'):
        proposed(place, tmp_path / "t", trials=2)
    assert not (tmp_path / "t").exists()
    sg.sweep(place / "tiny.yaml", {"seed": "0,1"}, out=tmp_path / "u", progress=False)


@pytest.fixture(scope="module")
def cluster(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A scheduler on the loopback with two workers, which are processes."""
    import dask
    from distributed import LocalCluster

    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_DISABLE_JIT", "1")
        patch.setenv("XDG_CACHE_HOME", str(cache))
        patch.setattr("numba.config.DISABLE_JIT", True)
        sg.build(place / "tiny.yaml")  # which workers find in the cache
        settings = {"distributed.scheduler.allowed-failures": 0, "logging.distributed": "critical"}
        with (
            dask.config.set(settings),
            LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=":0",
                local_directory=str(cache),
                silence_logs=logging.CRITICAL,
            ) as found,
        ):
            yield found


def test_dask_trains_what_joblib_does_and_survives_lost_workers(
    place: Path, tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_result, "sweep_figure", lambda _: None)
    over = {"optimizer.learning_rate": "0.01,0.1,1e90", "seed": "0,1", "epochs": "2"}
    address = cluster.scheduler_address
    with pytest.raises(sg.SymgradError, match="workers beside dask"):
        sg.sweep(place / "tiny.yaml", over, dask=address, workers=2, out=tmp_path / "s")
    found = sg.sweep(place / "tiny.yaml", over, dask=address, out=tmp_path / "s", progress=False)
    assert [row.state for row in found.rows] == ["finished"] * 4 + ["diverged"] * 2
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    for row in found.rows[:4]:
        run = sg.train(
            place / "tiny.yaml",
            seed=row.values["seed"],
            hyper={"learning_rate": row.values["optimizer.learning_rate"]},
            epochs=2,
            progress=False,
            identity=False,
        )
        assert row.value == run.validation.loss
    assert sg.open_run(tmp_path / "s" / "best").predict([[0.5]]).shape == (1, 1)

    monkeypatch.setattr(dask_workers, "run_trial", deadly)
    over = {"optimizer.learning_rate": "0.01,0.1", "seed": "0,1"}
    lost = sg.sweep(place / "tiny.yaml", over, dask=address, out=tmp_path / "t", progress=False)
    rows = {row.number: row for row in lost.rows}
    assert rows[2].state == "lost"
    assert rows[2].reason == "its worker died whenever it made this trial: killed, or out of memory"
    assert rows[2].attempts == 2
    assert {row.state for number, row in rows.items() if number != 2} <= {"finished", "diverged"}
    monkeypatch.setattr(dask_workers, "run_trial", formula)
    again = sg.sweep(resume=tmp_path / "t", dask=address, progress=False)
    assert all(row.state != "lost" for row in again.rows)


def test_a_scheduler_that_is_not_there_is_told(place: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(dask_workers, "CONNECT", 1.0)
    for address in ("tcp://127.0.0.1:1", "nonsense://x", "127.0.0.1:99999", "", "x y"):
        with pytest.raises(sg.DataError, match="there is no scheduler of dask's"):
            sg.sweep(place / "tiny.yaml", {"seed": "0,1"}, dask=address, out=tmp_path / "s", progress=False)
        assert not (tmp_path / "s").exists()


def test_workers_elsewhere_keep_what_they_compile_on_a_disk_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    node_cache.use_node_cache()
    assert node_cache.os.environ["XDG_CACHE_HOME"] == "/elsewhere"
    monkeypatch.delenv("XDG_CACHE_HOME")
    node_cache.use_node_cache()
    first = node_cache.os.environ["XDG_CACHE_HOME"]
    assert first.startswith(str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME")
    node_cache.use_node_cache()
    assert node_cache.os.environ["XDG_CACHE_HOME"] == first
    own = tmp_path / first.rpartition("/")[2]
    own.chmod(0o777)  # others can write there
    monkeypatch.delenv("XDG_CACHE_HOME")
    node_cache.use_node_cache()
    assert node_cache.os.environ["XDG_CACHE_HOME"] != first
