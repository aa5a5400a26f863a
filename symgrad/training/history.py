"""What happened in each epoch, for people, for JSON and for CSV."""

from __future__ import annotations

import csv
from dataclasses import asdict, astuple, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class EpochRecord:
    """One epoch, counted from 1. `loss` is the mean over the epoch's steps; what was not measured is None."""

    epoch: int
    loss: float
    validation_loss: float | None
    accuracy: float | None
    validation_accuracy: float | None
    seconds: float

    @property
    def objective(self) -> float:
        """The loss that decides which epoch is best: the validation loss where there is one."""
        return self.loss if self.validation_loss is None else self.validation_loss


FIELDS = tuple(field.name for field in fields(EpochRecord))


@dataclass(frozen=True)
class History:
    """The epochs of one training run, in order."""

    spec_name: str
    records: tuple[EpochRecord, ...]

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest objective, the first of equals; 0 before any epoch."""
        best = min(self.records, key=lambda record: record.objective, default=None)
        return best.epoch if best else 0

    def to_dict(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes."""
        records = [asdict(record) for record in self.records]
        return {"spec": self.spec_name, "best_epoch": self.best_epoch, "epochs": records}

    def write_csv(self, path: Path) -> None:
        """One line per epoch; what was not measured is an empty cell."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(FIELDS)
            writer.writerows(astuple(record) for record in self.records)
