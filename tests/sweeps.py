"""Workers for tests of sweeps: some that only say what a formula gives, and trials that kill a process."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgrad.sweeping.working.sweep_trial import TrialOrder, TrialOutcome
from symgrad.sweeping.working.workers import EndedTrial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DATA = "x,t\n" + "".join(f"{k / 10},{(k / 10) ** 2}\n" for k in range(20))
SPEC: dict[str, Any] = {
    "name": "tiny",
    "dtype": "float64",
    "inputs": {"x": ["batch", 1]},
    "targets": {"t": ["batch", 1]},
    "layers": ["dense(2, activation=tanh)", "dense(1)"],
    "loss": "mse",
    "train": {
        "data": "tiny.csv",
        "validation": 0.25,
        "optimizer": "sgd(learning_rate=0.1)",
        "batch_size": 5,
        "epochs": 2,
    },
}


def written_spec(folder: Path) -> Path:
    """A small spec with its data in a folder."""
    (folder / "tiny.csv").write_text(DATA, encoding="utf-8")
    file = folder / "tiny.yaml"
    file.write_text(json.dumps(SPEC), encoding="utf-8")
    return file


def formula(order: TrialOrder) -> TrialOutcome:
    """What a trial would give, by its numbers alone: some diverge, and many values are equal."""
    told = order.trained
    rate = dict(told.hyper).get("optimizer.learning_rate", 0.1)
    seed = told.seed or 0
    if rate > 1 and seed % 2:
        return TrialOutcome("diverged", reason="the loss became nan")
    value = round(abs(rate - 0.3) * 4) + seed % 3
    wanted = order.to_beat is None or not order.metric.is_better(order.to_beat, value)
    files = {"checkpoint.npz": f"{rate} {seed}".encode()} if wanted else None
    return TrialOutcome("finished", {"held_out_loss": float(value), "trained_epochs": 2}, files=files)


class Imagined:
    """So many workers that answer by a formula, in an order that is drawn."""

    def __init__(self, workers: int, seed: int, begun: Callable[[int], None] = lambda _: None) -> None:
        self.workers, self.random, self.begun = workers, random.Random(seed), begun
        self.under_way: list[TrialOrder] = []

    @property
    def free(self) -> int:
        return self.workers - len(self.under_way)

    @property
    def at_work(self) -> bool:
        return bool(self.under_way)

    def begin(self, order: TrialOrder) -> None:
        self.begun(order.number)
        self.under_way.append(order)

    def ended(self) -> Sequence[EndedTrial]:
        order = self.under_way.pop(self.random.randrange(len(self.under_way)))
        return [EndedTrial(order, formula(order), 1)]

    def close(self) -> None:
        """Nothing was begun."""


def deadly(order: TrialOrder) -> TrialOutcome:
    """Trial 2 kills every process that makes it; the others take a moment."""
    if order.number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.05)
    return formula(order)


def heeding_interrupts(_: TrialOrder) -> TrialOutcome:
    """Whether the process of a trial would be ended by an interrupt."""
    return TrialOutcome("finished", {"heeds": float(signal.getsignal(signal.SIGINT) is not signal.SIG_IGN)})


__all__ = ["SPEC", "Imagined", "deadly", "formula", "heeding_interrupts", "written_spec"]
