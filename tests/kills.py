"""Trainings killed at every point where they write, and at random moments: what they come to when resumed.

    python tests/kills.py --times 100

trains a compiled network with Adam, a schedule, early stopping and held-out rows, kills it (SIGKILL) at
random moments, resumes it until it ends, and compares parameters, state, history and best epoch with those of
a run that nobody stopped, to the last bit. `--points` kills a small training at every step of every file that
it writes. Whoever is killed was forked off this process, so each try costs a few milliseconds.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from stub_module import blobs, make_module, make_spec

import symgrad as sg
from symgrad.errors import DataError
from symgrad.spec.model import CheckpointSpec, StopSpec
from symgrad.training import run as run_files
from symgrad.training.resuming import newest
from symgrad.training.train import resume, train

if TYPE_CHECKING:
    from collections.abc import Callable

SPEC: dict[str, Any] = {
    "name": "killed",
    "inputs": {"x": ["batch", 2]},
    "targets": {"t": {"axes": ["batch"], "classes": 3}},
    "layers": ["dense(16, activation=tanh)", "dense(3)"],
    "loss": "softmax_cross_entropy",
    "train": {
        "epochs": 300,
        "batch_size": 8,
        "optimizer": "adam(0.005)",
        "schedule": "cosine(learning_rate)",
        "standardize": True,
        "validation": 0.25,
        "stop": {"patience": 120},
        "checkpoint": {"epochs": 3, "keep": 3},
    },
}


class Training:
    """A training that can be begun and gone on with, and what it comes to when nobody stops it."""

    def __init__(self, spec: Any, module: Any, folder: Path) -> None:
        self.spec, self.module, self.folder = spec, module, folder
        self.options: dict[str, Any] = {"data": blobs(400), "progress": False}
        self.expected = facts(train(spec, module, out=folder / "whole", **self.options))

    def begin(self, run: Path) -> Any:
        return train(self.spec, self.module, out=run, **self.options)

    def go_on(self, run: Path) -> Any:
        """From the newest checkpoint; from the beginning where there is none yet."""
        try:
            file, orders = newest(run)
        except DataError:
            return self.begin(run)
        return resume(self.spec, self.module, run, file, orders, **self.options)

    def is_right(self, run: Path) -> bool:
        """Whether a run resumed for the last time comes to the same, in memory and in its files."""
        found = self.go_on(run)
        saved = self.module.load(run / "checkpoint.npz")
        same = self.module.flatten(saved.params).tobytes() == self.expected["params"]
        logged = [json.loads(line)["epoch"] for line in (run / "history.jsonl").read_text().splitlines()]
        same = same and logged == [record["epoch"] for record in self.expected["history"]]
        return facts(found) == self.expected and same and not [*run.rglob(".*")]


def facts(run: Any) -> dict[str, Any]:
    """All that must be the same to the last bit: everything but times."""
    checkpoint, records = run.checkpoint, run.history.records
    return {
        "params": checkpoint.module.flatten(checkpoint.fitted).tobytes(),
        "state": [array.tobytes() for array in checkpoint.state],
        "epochs": (checkpoint.epoch, run.best_epoch, run.stop_reason),
        "history": [{**vars(record), "seconds": 0.0} for record in records],
        "metrics": (run.training, run.validation),
    }


def small(folder: Path) -> Training:
    """A few epochs of a network written by hand, kept after each."""
    run_files.plot_history = lambda *_: None  # pictures take longest, and are not what is tried
    os.fsync = lambda _: None  # the disk is for a power cut
    plan = {"epochs": 5, "validation": 0.2, "stop": StopSpec(patience=2), "standardize": True}
    spec = make_spec(**plan, checkpoint=CheckpointSpec(epochs=1, keep=2))
    return Training(spec, make_module(spec, learning_rate=2.0), folder)


def forked(work: Callable[[], Any]) -> int:
    """The identity of a process that does this work and ends."""
    child = os.fork()
    if child == 0:
        try:
            with warnings.catch_warnings(action="ignore"):
                work()
        except BaseException:  # noqa: BLE001  # whatever ends it: what is on disk counts
            os._exit(1)
        os._exit(0)
    return child


def ended(child: int) -> int:
    """Its exit code, once it has ended."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def at_point(training: Training, run: Path, point: int, stop: Callable[[], Any]) -> bool:
    """Stop a training just before its so many-th step on files of the run; whether it came so far."""
    seen, reached = 0, 77

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in EVENTS and any(str(run) in str(argument) for argument in arguments):
            seen += 1
            if seen == point:
                stop()

    def work() -> None:
        sys.addaudithook(watch)
        training.begin(run)
        os._exit(0 if seen < point else reached)

    return ended(forked(work)) != 0


EVENTS = frozenset(["open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "tempfile.mkstemp"])


def interrupt() -> None:
    raise KeyboardInterrupt


def no_room() -> None:
    raise OSError(28, "No space left on device")


STOPS: dict[str, Callable[[], Any]] = {
    "killed": partial(os._exit, 9),
    "interrupted": interrupt,
    "the disk full for a moment": no_room,
}


def at_points(training: Training) -> dict[str, tuple[int, list[int]]]:
    """For each way to be stopped, the number of points, and those from which a run comes elsewhere."""
    found = {}
    for how, stop in STOPS.items():
        point, wrong = 1, []
        while at_point(training, run := training.folder / f"{how} {point}", point, stop):
            if not training.is_right(run):
                wrong.append(point)
            point += 1
        found[how] = point - 1, wrong
    return found


def at_moments(training: Training, times: int, seed: int) -> tuple[int, list[int]]:
    """Runs killed at random moments until they end: the number of kills, and the runs that come elsewhere."""
    start = time.perf_counter()
    training.begin(training.folder / "timed")
    rng, length = np.random.default_rng(seed), time.perf_counter() - start
    kills, wrong, number = 0, [], 0
    while kills < times:
        number += 1
        run = training.folder / f"run {number}"
        while kills < times:
            child = forked(lambda run=run: training.go_on(run))
            time.sleep(rng.uniform(0, length / 2))
            os.kill(child, signal.SIGKILL)
            if ended(child) == 0:
                break
            kills += 1
        if not training.is_right(run):
            wrong.append(number)
    return kills, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=0, help="how often to kill the compiled network")
    parser.add_argument("--small", type=int, default=0, help="how often to kill the small one")
    parser.add_argument("--points", action="store_true", help="kill the small one at every point")
    parser.add_argument("--seed", type=int, default=0)
    asked, all_wrong = parser.parse_args(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.points:
            for how, (number, wrong) in at_points(small(folder / "points")).items():
                print(f"{how} at {number} points: {number - len(wrong)} come to the same, {wrong} do not")
                all_wrong += wrong
        for times, which in ((asked.small, "small"), (asked.times, "compiled")):
            if times:
                training = small(folder / which) if which == "small" else compiled(folder / which)
                kills, wrong = at_moments(training, times, asked.seed)
                print(f"{which}, killed {kills} times at random moments: {wrong or 'no'} runs are wrong")
                all_wrong += wrong
    return 1 if all_wrong else 0


def compiled(folder: Path) -> Training:
    spec = sg.read(SPEC)
    return Training(spec, sg.build(spec), folder)


if __name__ == "__main__":
    sys.exit(main())
