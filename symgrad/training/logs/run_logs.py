"""All logs of a run: opened before its first epoch, told of every epoch, and closed however it ends."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

from symgrad.errors import SymgradError
from symgrad.training.logs.mlflow_log import MlflowLog, client_parts
from symgrad.training.logs.table_log import TableLog
from symgrad.training.logs.tensorboard_log import TensorBoardLog, event_parts
from symgrad.training.scores.metrics import score_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from symgrad.training.epochs.loop import Trainer
    from symgrad.training.records.history import EpochRecord

LogName: TypeAlias = Literal["tensorboard", "mlflow"]
"""What may be logged to besides the tables in a run's folder."""
LOGS: tuple[LogName, ...] = get_args(LogName)


class Log(Protocol):
    """Is told of epochs."""

    def add(self, record: EpochRecord) -> None:
        """An epoch has ended."""

    def close(self, reason: str) -> None:
        """There will be no more, for this reason; empty: something broke."""


class RunLogs:
    """Some logs, and up to which epoch they have been told."""

    def __init__(self, logs: Sequence[Log], epoch: int) -> None:
        self.logs, self.epoch, self.reason = logs, epoch, ""

    def add(self, record: EpochRecord) -> None:
        """Tell all of an epoch."""
        for log in self.logs:
            log.add(record)
        self.epoch = record.epoch

    def end(self, records: Sequence[EpochRecord], reason: str) -> None:
        """Tell what Ctrl-C kept from them; training has ended for this reason."""
        for record in records:
            if record.epoch > self.epoch:
                self.add(record)
        self.reason = reason


@contextmanager
def run_logs(folder: Path | None, trainer: Trainer, names: Sequence[LogName]) -> Iterator[RunLogs]:
    """The logs of a run in this folder; without one there are none.

    Raises:
        ModuleError: a package is missing.
        DataError: a log cannot be written.
    """
    records = trainer.good_records
    logs: list[Log] = []
    told = RunLogs(logs, len(records))
    try:
        if folder is not None:
            here = (folder, score_name(trainer.module), records)
            logs.append(TableLog(*here))
            if "tensorboard" in names:
                logs.append(TensorBoardLog(*here))
            if "mlflow" in names:
                logs.append(MlflowLog(*here, trainer.module.SPEC_NAME, _settings(trainer)))
        yield told
    finally:
        for log in logs:
            log.close(told.reason)


def _settings(trainer: Trainer) -> Mapping[str, Any]:
    """What the run was told, as numbers and words by name."""
    plan = trainer.plan
    told = {"epochs": plan.epochs, "batch_size": plan.batch_size, "seed": plan.seed, "shuffle": plan.shuffle}
    sizes = {f"batch_size.{name}": size for name, size in plan.set_batches}
    return {**told, **sizes, **trainer.numbers}


def checked_logs(given: Sequence[str], has_folder: bool = True) -> tuple[LogName, ...]:
    """What was given as log, of a run that has a folder or not.

    Raises:
        ModuleError: for a missing package.
        SymgradError: for what is no log, and for a log without a folder.
    """
    names = [given] if isinstance(given, str) else [*given]
    for name in names:
        if name not in LOGS:
            raise SymgradError(f"log is {name!r}", remedy=f"expected {' or '.join(LOGS)}")
    if names and not has_folder:
        raise SymgradError(f"log: {', '.join(names)} without a run folder", remedy="name one: out=...")
    if "tensorboard" in names:
        event_parts()
    if "mlflow" in names:
        client_parts()
    return tuple(name for name in LOGS if name in names)
