"""Training on several processes, by MPI: what comes of it, and what becomes of ranks that end before others.

Open MPI's own mpiexec begins them. Modules are run by Python, which starts faster than they compile.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner
from launched_ranks import (
    ENDS_WITHIN,
    ENVIRONMENT,
    ROOT,
    begun,
    children,
    command,
    epochs_kept,
    is_there,
    prepared,
    ranks_of,
    wait_until,
)
from thread_ranks import on_groups

from symgrad.cli import main
from symgrad.errors import DataError
from symgrad.judgement.gate import emitted
from symgrad.ranks.group_of_ranks import RankGroup
from symgrad.ranks.mpi_world import environment_of_ranks, mpiexec_here
from symgrad.ranks.watched_ranks import missing
from symgrad.spec.reader import read
from symgrad.training.run_folder import run_folder

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="mpi4py and Open MPI are declared for others")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are found as Linux has them")


def test_trainings_on_ranks_are_those_of_one_process(tmp_path: Path) -> None:
    """All optimisers are compared in test_shared_epochs.py; here are whole trainings, on 3 ranks."""
    script = [sys.executable, "-m", "mpi4py", str(ROOT / "tests" / "train_on_ranks.py"), str(tmp_path)]
    environment = environment_of_ranks() | ENVIRONMENT
    ended = subprocess.run(
        [mpiexec_here(), "-n", "3", *script], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert "all as alone" in ended.stdout


def said(folder: Path, *arguments: object, status: int = 0) -> tuple[str, str]:
    ended = subprocess.run(
        command(*arguments), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == status, ended.stderr
    return ended.stdout, ended.stderr


def test_the_command_trains_on_ranks_and_says_everything_once(tmp_path: Path) -> None:
    spec = prepared(tmp_path, 3)
    how = (spec, "--no-verify", "--json")
    alone = json.loads(said(tmp_path, *how, "--out", "alone")[0])
    shared = json.loads(said(tmp_path, *how, "--out", "shared", "--ranks", "2")[0])
    for name in ("loss", "validation_loss", "r2"):
        np.testing.assert_allclose(shared["history"][name], alone["history"][name], rtol=1e-12)
    pairs = '{"e[n,i]": "mean(tanh(x[n,i] - x[p,i]), p)", y: "dense(e, 1)"}\nloss: mse(y, t)'
    layers = 'layers: ["dense(4, activation=tanh)", dense(1)]\nloss: mse'
    spec.write_text(spec.read_text().replace(layers, f"equations: {pairs}"))
    _, errors = said(tmp_path, *how, "--out", "refused", "--ranks", "2", status=2)
    assert errors.count("ranks cannot share the rows of a batch") == 1
    assert f"{spec.name}:6:14:" in errors, "at the equation"
    assert not (tmp_path / "refused").exists(), "nothing was written, judged or compiled for it"
    assert "remedy" not in errors
    assert "prterun" not in errors
    module = tmp_path / "module.py"
    module.write_text(emitted(read(spec)).text)
    told, errors = said(tmp_path, spec, "--module", module, "--out", "refused", "--ranks", "2", status=2)
    assert f"{spec.name}:6:14: ranks cannot share" in errors
    assert "using" not in told, "a module that is given is asked before it is judged"
    assert not (tmp_path / "refused").exists()
    _, errors = said(tmp_path, *how, "--ranks", "20000", status=2)
    assert "--ranks 20,000 on this machine" in errors
    assert "expected at most" in errors
    spec.write_text("layers: [dense(1)]")
    _, errors = said(tmp_path, spec, "--ranks", "2", status=2)
    assert errors.count("error:") == 1


@on_linux
@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGKILL, "rank 1 with PID"), (signal.SIGSTOP, "rank 1 (process")],
    ids=["killed", "stopped"],
)
def test_a_rank_that_dies_or_hangs_ends_all_and_training_goes_on(
    number: int, words: str, tmp_path: Path
) -> None:
    spec, run = prepared(tmp_path, 100_000), tmp_path / "run"
    launcher = begun(tmp_path, spec, "--ranks", 2, "--no-verify", "-q", "--out", run, "--rank-timeout", 2)
    wait_until(lambda: epochs_kept(run)[1:], 60, "two checkpoints")
    ranks = ranks_of(launcher.pid)
    os.kill(ranks[1], number)
    _, errors = launcher.communicate(timeout=ENDS_WITHIN)
    assert launcher.returncode == 1
    assert words in errors
    assert f"symgrad train --resume {run} --ranks 2 goes on" in errors
    wait_until(lambda: not any(map(is_there, ranks)), ENDS_WITHIN, "the end of the other rank")
    reached = epochs_kept(run)[-1]
    found = json.loads(said(tmp_path, "--resume", run, "--epochs", reached + 2, "--ranks", 2, "--json")[0])
    assert found["epochs"] == reached + 2


@on_linux
def test_ctrl_c_ends_after_the_epoch_and_a_lost_launcher_ends_all(tmp_path: Path) -> None:
    spec, run = prepared(tmp_path, 100_000), tmp_path / "run"
    launcher = begun(tmp_path, spec, "--ranks", 2, "--no-verify", "--out", run)
    wait_until(lambda: epochs_kept(run)[1:], 60, "two checkpoints")
    launcher.send_signal(signal.SIGINT)
    _, errors = launcher.communicate(timeout=ENDS_WITHIN)
    assert launcher.returncode == 130
    assert f"symgrad train --resume {run} --ranks 2 goes on with it" in errors
    launcher = begun(tmp_path, "--resume", run, "--ranks", 2, "-q")
    before = epochs_kept(run)[-1]
    wait_until(lambda: epochs_kept(run)[-1] > before, 60, "another epoch")
    processes = [*children(launcher.pid), *ranks_of(launcher.pid)]
    launcher.kill()
    wait_until(lambda: not any(map(is_there, processes)), ENDS_WITHIN, "the end of what it launched")
    launcher.communicate()


def test_a_rank_lost_before_anything_was_kept_is_no_run_to_go_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    kept = run / "checkpoints" / "epoch-0000003.npz"
    monkeypatch.setattr("symgrad.cli.train_command.run_on_ranks", lambda *_: None)

    def said(*more: str) -> str:
        given = ["train", str(prepared(tmp_path, 3)), "--ranks", "2", *more]
        return CliRunner().invoke(main, given).output

    assert "it has kept nothing yet" in said("--out", str(run))
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert "it has kept nothing yet" in said("--out", str(run))  # that is an earlier run's
    assert "goes on from the last checkpoint" in said("--resume", str(run))
    monkeypatch.setattr("symgrad.cli.train_command.run_on_ranks", lambda *_: kept.touch())
    assert "goes on from the last checkpoint" in said("--out", str(run))


def test_without_mpiexec_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from symgrad.errors import ModuleError
    from symgrad.ranks import mpi_world

    monkeypatch.setattr(mpi_world.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ModuleError, match=r'mpiexec.*pip install "\.\[mpi\]"'):
        mpi_world.run_on_ranks(["train"], 2)
    monkeypatch.setattr(mpi_world, "find_spec", lambda _: None)
    with pytest.raises(ModuleError, match="mpi4py is missing"):
        mpi_world.run_on_ranks(["train"], 2)
    monkeypatch.setenv("PMIX_RANK", "0")
    with pytest.raises(ModuleError, match="mpi4py is missing"):
        mpi_world.world()


def test_who_is_missed_by_whom() -> None:
    """A row has: meetings, whether it waits, since when it does, when it last computed and was last seen."""

    def board(*rows: tuple[float, ...]) -> Any:
        return np.array([(n, 100 + n, *row) for n, row in enumerate(rows)], float)

    on_time = board((5, 1, 95, 95, 99), (4, 0, 90, 99, 99), (5, 1, 95, 95, 99))
    assert missing(on_time, 0, 100, 10) == ""
    idle = board((5, 1, 80, 99, 99), (4, 0, 80, 85, 99), (5, 1, 81, 99, 99))
    assert missing(idle, 0, 100, 10).startswith("rank 1 (process 101) made no step for 20 s, while rank 0")
    assert missing(idle, 2, 100, 10) == missing(idle, 1, 100, 10) == "", "one says it"
    stopped = board((5, 1, 80, 99, 85), (5, 1, 80, 99, 99), (5, 1, 81, 99, 99))
    assert missing(stopped, 1, 100, 10).startswith("rank 0 (process 100)"), "in the midst of a meeting"
    assert missing(stopped, 2, 100, 10) == ""
    at_work = board((5, 1, 80, 99, 99), (4, 0, 80, 99, 99))
    assert missing(at_work, 0, 100, 10) == "", "a rank that computes is waited for"
    for_long = board((5, 1, 80, 99, 200), (4, 0, 80, 200, 200))
    assert "rank 1" in missing(for_long, 0, 201, 10), "though not for ever"
    patient = board((5, 2, 80, 99, 99), (4, 0, 80, 85, 99))
    assert missing(patient, 0, 100, 10) == "", "others may compute for it"
    elsewhere = board((5, 1, 80, 99, 99), (5, 1, 80, 99, 99))
    assert missing(elsewhere, 0, 100, 10) == ""
    elsewhere[:, 6] = 199
    assert "for ranks on other machines" in missing(elsewhere, 0, 200, 10)


def test_what_the_first_rank_cannot_hold_ends_all_of_them(tmp_path: Path) -> None:
    """The others waited for a minute, and said that the first did nothing."""
    file, told = tmp_path / "file", []
    file.touch()

    def begin(group: RankGroup) -> None:
        try:
            with group.held_by_first(lambda: run_folder(file)):
                told.append("entered")
        except DataError as error:
            told.append(str(error))

    on_groups(3, begin)
    assert told == 3 * [f"{file}: cannot be made: File exists; choose another folder"]


def test_one_process_asks_nobody() -> None:
    alone = RankGroup()
    with alone.held_by_first(lambda: nullcontext(5)) as held:
        assert held == 5
    assert alone.agreed(lambda: 3) == alone.together(lambda: 3) == alone.told_by_first(lambda: 3) == 3
    assert alone.count == 1
    assert alone.shared == {}
