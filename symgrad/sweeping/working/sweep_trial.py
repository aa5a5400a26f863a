"""One trial: what a worker is told, what it does, and what it answers."""

from __future__ import annotations

import errno
import os
import socket
import tempfile
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from symgrad.errors import DivergenceError, SymgradError, SymgradWarning
from symgrad.judgement.ready_modules import module_of
from symgrad.sweeping.sweep_metrics import SweepMetric, numbers_of
from symgrad.sweeping.working.node_cache import use_node_cache
from symgrad.training.dataset.data import load_data
from symgrad.training.train import train
from symgrad.unsolved import unsolved

if TYPE_CHECKING:
    from types import ModuleType

    from symgrad.errors import SpecWarning
    from symgrad.sweeping.varied.structures import TrialSpec
    from symgrad.sweeping.varied.sweep_axes import Values
    from symgrad.training.run import Run

TrialState: TypeAlias = Literal["finished", "diverged", "refused", "failed", "lost"]
"""`refused`: no spec, or data that do not fit it; `failed`: a defect, or too little memory; `lost`: whatever
process tried it died, or its disk was full. What is lost, `--resume` makes again."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}
"""What the system says where a trial could be made if its machine were otherwise."""
_FIRST_ROWS = 16
"""So many rows are enough for a module's first calls, by which it is compiled."""


@dataclass(frozen=True)
class TrialOrder:
    """What a worker is told. It sends the files of its run only where that is as good as `to_beat`.

    A worker of another machine has no `scratch` folder, and makes its files where temporary ones are there.
    """

    number: int
    trained: TrialSpec
    metric: SweepMetric
    data: Path | None
    threads: int
    to_beat: float | None
    scratch: Path | None


@dataclass(frozen=True)
class TrialOutcome:
    """What came of a trial: its numbers by name, or why there are none, and maybe the files of its run.

    The reason of one that is finished is what to doubt in it: equations that are not solved.
    """

    state: TrialState
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0
    worker: str = ""
    files: Mapping[str, bytes] | None = None


@dataclass(frozen=True)
class TrialRow:
    """A trial in the table of a sweep: its number, the values it had, and what came of it.

    `value` is that of the metric; None where there is none. `attempts` says how many workers began it.
    """

    number: int
    values: Values
    state: TrialState
    value: float | None
    numbers: Mapping[str, float | None]
    reason: str
    seconds: float
    attempts: int
    worker: str


def run_trial(order: TrialOrder) -> TrialOutcome:
    """Train as told. Whatever goes wrong is an answer too."""
    settle(order.threads, at_node=order.scratch is None)
    start = time.perf_counter()
    try:
        if order.scratch is not None:
            order.scratch.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="symgrad_trial_", dir=order.scratch) as place:
            found = _trained(order, Path(place) / "run")
    except DivergenceError as error:
        found = TrialOutcome("diverged", reason=str(error))
    except MemoryError:
        found = TrialOutcome("failed", reason="too little memory")
    except Exception as error:  # noqa: BLE001  # one trial that fails must not end the others
        found = _failure(error)
    return TrialOutcome(
        found.state, found.numbers, found.reason, time.perf_counter() - start, _whoami(), found.files
    )


def _failure(error: BaseException) -> TrialOutcome:
    """What a trial answers that an error ended."""
    causes, cause = [error], error.__context__
    while cause is not None:
        causes.append(cause)
        cause = cause.__context__
    is_told = isinstance(error, SymgradError)
    reason = str(error) if is_told else f"{type(error).__name__}: {error}"
    if any(isinstance(cause, OSError) and cause.errno in _NO_ROOM for cause in causes):
        return TrialOutcome("lost", reason=reason)
    return TrialOutcome("refused" if is_told else "failed", reason=reason)


def _trained(order: TrialOrder, folder: Path) -> TrialOutcome:
    told = order.trained
    module = module_of(told.spec, lambda module: _first_calls(order, module))
    doubts: list[SpecWarning] = []
    run = _run(order, module, folder, doubts)
    if run.stop_reason == "interrupted":
        return TrialOutcome("lost", reason="it was interrupted")
    numbers = numbers_of(run)
    value = numbers.get(order.metric.name)
    is_wanted = value is not None and (
        order.to_beat is None or not order.metric.is_better(order.to_beat, value)
    )
    reason = "; ".join(doubt.problem for doubt in doubts)
    return TrialOutcome("finished", numbers, reason, files=_files(folder) if is_wanted else None)


def _run(order: TrialOrder, module: ModuleType, out: Path, doubts: list[SpecWarning]) -> Run:
    """The run of a trial; `doubts` get what a solver has not solved for."""
    told = order.trained

    def unsolved_here(parameters: Mapping[str, Any], data: Mapping[str, Any]) -> list[SpecWarning]:
        doubts.extend(unsolved(told.spec, parameters, data))
        return doubts

    return train(
        told.spec,
        module,
        data=order.data,
        epochs=told.epochs,
        batch_size=told.batch_size,
        seed=told.seed,
        hyper=told.hyper,
        out=out,
        progress=False,
        metrics=order.metric.scorers,
        unsolved=unsolved_here,
    )


def _first_calls(order: TrialOrder, module: ModuleType) -> None:
    """Train a little, so that Numba compiles while other processes wait; errors will be the trial's own."""
    spec = order.trained.spec
    try:
        rows = load_data(spec, order.data)
        few = rows.take(np.arange(min(rows.rows, _FIRST_ROWS)))
        train(spec, module, data=few, epochs=1, progress=False)
    except SymgradError:
        return


def _files(folder: Path) -> dict[str, bytes]:
    """All files of a run by their places in its folder."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _whoami() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


@cache
def settle(threads: int, *, at_node: bool) -> None:
    """Once in a process: so many threads for products, no warnings that all trials share, and on another
    machine a cache of its own."""
    threadpool_limits(threads)
    warnings.simplefilter("ignore", SymgradWarning)
    if at_node:
        use_node_cache()
