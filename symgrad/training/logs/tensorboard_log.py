"""Epochs as scalars for TensorBoard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from symgrad.errors import ModuleError, how_to_install
from symgrad.training.records.history import row_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from symgrad.training.records.history import EpochRecord
    from symgrad.training.scores.metrics import ScoreName

EVENTS = "tensorboard"


def event_parts() -> tuple[Any, Any, Any, Any]:
    """What events are made of, and what writes them. Raises ModuleError where TensorBoard is missing."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError as error:
        remedy = how_to_install("tensorboard")
        raise ModuleError(f"TensorBoard cannot be loaded: {error}", at="log", remedy=remedy) from None
    return Event, SessionLog, Summary, EventFileWriter


class TensorBoardLog:
    """Event files in the folder `tensorboard` of a run: every column of the history, over the epochs.

    A run that goes on begins with an event that says from which epoch: TensorBoard drops those that were
    written before and are made again. Each epoch is written when it has ended.

    Raises:
        ModuleError: TensorBoard is missing.
    """

    def __init__(self, folder: Path, score_name: ScoreName, records: Sequence[EpochRecord]) -> None:
        self.score_name, (self.event, session, self.summary, writer) = score_name, event_parts()
        before = [*(folder / EVENTS).glob("events.out.tfevents.*")]
        self.writer = writer(str(folder / EVENTS))
        known = records if before else ()
        begins = session(status=session.START)
        self._write(step=len(known) + 1, session_log=begins)
        for record in () if before else records:
            self.add(record)

    def add(self, record: EpochRecord) -> None:
        """Write an epoch."""
        values = [
            self.summary.Value(tag=name, simple_value=value)
            for name, value in row_of(record, self.score_name).items()
            if value is not None and name != "epoch"
        ]
        self._write(step=record.epoch, summary=self.summary(value=values))

    def close(self, _: str) -> None:
        """Nothing more is added."""
        self.writer.close()

    def _write(self, **what: Any) -> None:
        self.writer.add_event(self.event(wall_time=time.time(), **what))
        self.writer.flush()
