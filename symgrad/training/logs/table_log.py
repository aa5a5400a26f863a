"""The history as it grows: a line of CSV and one of JSON for every epoch, on the disk when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from symgrad.errors import DataError, DataWarning, warn
from symgrad.files import write_whole
from symgrad.training.records.history import HISTORY_CSV, HISTORY_LINES, csv_line, json_line, row_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from symgrad.training.records.history import EpochRecord
    from symgrad.training.scores.metrics import ScoreName


class TableLog:
    """`history.csv` and `history.jsonl` in the folder of a run.

    What epochs before `records` left there is written anew with the first epoch, so a run that goes on has
    no line twice and none that was torn.
    """

    def __init__(self, folder: Path, score_name: ScoreName, records: Sequence[EpochRecord]) -> None:
        self.paths = (folder / HISTORY_CSV, folder / HISTORY_LINES)
        self.score_name, self.records = score_name, list(records)
        self.names: tuple[str, ...] = ()
        self.files: list[BinaryIO] = []
        self.is_warned = False

    def add(self, record: EpochRecord) -> None:
        """Write an epoch. A disk that is full is warned of once, and may not be so after the next epoch."""
        self.records.append(record)
        try:
            self._add(record)
        except (DataError, OSError) as error:
            self._close()
            if not self.is_warned:
                why = error.problem if isinstance(error, DataError) else str(error.strerror)
                remedy = "training goes on, and tries again after every epoch"
                warn(DataWarning(f"no history: {why}", at=str(self.paths[0].parent), remedy=remedy))
            self.is_warned = True

    def _add(self, record: EpochRecord) -> None:
        row = row_of(record, self.score_name)
        measured = {name for name, value in row.items() if value is not None}
        if not self.files or not measured <= set(self.names):
            self._begin()
            return
        cells = {name: row.get(name) for name in self.names}
        for file, line in zip(self.files, (csv_line(cells.values()), json_line(cells)), strict=True):
            file.write(line.encode())
            file.flush()

    def _begin(self) -> None:
        """Write all epochs so far, in the columns that they have."""
        self._close()
        rows = [row_of(record, self.score_name) for record in self.records]
        measured = dict.fromkeys(name for row in rows for name, value in row.items() if value is not None)
        self.names = tuple(measured)
        csv_text = csv_line(self.names) + "".join(csv_line(map(row.get, self.names)) for row in rows)
        lines = "".join(json_line({name: row.get(name) for name in self.names}) for row in rows)
        for path, text in zip(self.paths, (csv_text, lines), strict=True):
            write_whole(path, text.encode())
        self.files = [path.open("ab") for path in self.paths]

    def close(self, _: str) -> None:
        """Nothing more is added."""
        self._close()

    def _close(self) -> None:
        for file in self.files:
            file.close()
        self.files = []
