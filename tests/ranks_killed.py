"""A training on ranks that is hit at random moments, and goes on each time.

    python tests/ranks_killed.py --times 100

A rank is killed or stopped, or the launcher is; it may hit any part of a run, its start and its checkpoints
too. Each time all processes must end, within seconds unless a rank is stopped before all have met, with a
status that is not 0, and a whole checkpoint must be there. What the run comes to at last must be what a run
comes to that is never hit, bit for bit.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from launched_ranks import ENDS_WITHIN, begun, children, epochs_kept, is_there, prepared, ranks_of, wait_until

from symgrad.training.resuming import newest

RANKS, TIMEOUT = 2, 1.0
HITS = ("killed",) * 6 + ("stopped", "launcher killed", "mpiexec killed")


def start_seconds(folder: Path) -> float:
    """How long a training takes here until there is a checkpoint."""
    began, run = time.monotonic(), folder / "first"
    begun(
        folder, folder / "killed.yaml", "--no-verify", "--out", run, "--epochs", 1, "--ranks", RANKS
    ).communicate()
    assert epochs_kept(run)
    return time.monotonic() - began


def hit(folder: Path, run: Path, choose: random.Random, within: float) -> tuple[str, float]:
    """What was done within so many seconds to a training that begins or goes on, and how long all of it
    took to end."""
    going_on = (
        ("--resume", run) if epochs_kept(run) else (folder / "killed.yaml", "--no-verify", "--out", run)
    )
    launcher = begun(folder, *going_on, "--ranks", RANKS, "-q", "--rank-timeout", TIMEOUT)
    wait_until(lambda: len(ranks_of(launcher.pid)) == RANKS or launcher.poll() is not None, 60, "ranks")
    if launcher.poll() is not None:
        errors = launcher.communicate()[1]
        assert "PMIx server" in errors, errors  # Open MPI itself did not start: the machine is too busy
        return "not started", 0.0
    time.sleep(choose.uniform(0, within))
    mpiexec, ranks = children(launcher.pid), ranks_of(launcher.pid)
    what, rank = choose.choice(HITS), choose.choice(ranks)
    process = {"launcher killed": launcher.pid, "mpiexec killed": mpiexec[0]}.get(what, rank)
    os.kill(process, signal.SIGSTOP if what == "stopped" else signal.SIGKILL)
    began = time.monotonic()
    launcher.communicate(timeout=ENDS_WITHIN + 70)
    wait_until(lambda: not any(map(is_there, [*mpiexec, *ranks])), ENDS_WITHIN, f"the end of all, {what}")
    assert launcher.returncode != 0, what
    return what, time.monotonic() - began


@click.command()
@click.option("--times", default=100, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(times: int, seed: int) -> None:
    """Hit a training so often, and compare what it comes to with one that is not hit."""
    choose, folder = random.Random(seed), Path(tempfile.mkdtemp(prefix="ranks-killed-"))
    prepared(folder, 1_000_000)
    run, found, took = folder / "run", Counter[str](), [0.0]
    within = 2 * start_seconds(folder)
    for number in range(times):
        what, seconds = hit(folder, run, choose, within)
        found[what] += 1
        took.append(seconds)
        whole_up_to = newest(run)[0].stem if epochs_kept(run) else "nothing"
        print(f"{number + 1}: {what}, ended in {seconds:.1f} s, whole up to {whole_up_to}", flush=True)
    last = max([0, *epochs_kept(run)]) + 3
    spec = folder / "killed.yaml"
    whole = (spec, "--no-verify", "--epochs", last, "--out", folder / "whole")
    for how in (("--resume", run, "--epochs", last), whole):
        ended = begun(folder, *how, "-q", "--ranks", RANKS)
        assert ended.communicate()[1] == ""
    ends = [np.load(place / "checkpoint.npz") for place in (run, folder / "whole")]
    for name in ends[1].files:
        if ends[1][name].dtype.kind == "f":
            np.testing.assert_array_equal(ends[0][name], ends[1][name], err_msg=name)
    print(f"{times} hits ({dict(found)}), all ended within {max(took):.1f} s; epoch {last}: the same bits")


if __name__ == "__main__":
    main()
