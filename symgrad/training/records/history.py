"""What happened in each epoch, for people, for JSON and for CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from symgrad.displayed import Displayed
from symgrad.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from symgrad.training.scores.metrics import ScoreName

GRADIENT_NORM = "gradient_norm"
"""The column of the whole gradient's norm; those of parameters bear their names after a dot."""

_SHOWN, _WIDTH = 10, 8
"""So many of the first and last epochs are written out, in columns at least so wide."""


@dataclass(frozen=True)
class EpochRecord:
    """One epoch, counted from 1; what was not measured is None.

    `loss` is the mean over the epoch's rows while it ran, the scores are measured at its end.
    `seconds` is the time of the training steps alone. `step` is its last one, counted from 1 over all epochs,
    `learning_rate` that of this step, as a schedule has it, `hyper` the module's numbers in force.
    `gradient_norms` are those of each parameter's part of the gradient of one batch, at the end of the epoch,
    where training was asked to monitor gradients; `metrics` are the scores asked for, on the rows held out.
    `watched` falls as the score does rise by which the best epoch is chosen; None: the loss chooses it.
    """

    epoch: int
    loss: float
    score: float | None
    validation_loss: float | None
    validation_score: float | None
    seconds: float
    step: int | None = None
    learning_rate: float | None = None
    hyper: Mapping[str, float] = field(default_factory=dict)
    gradient_norms: tuple[tuple[str, float], ...] = ()
    metrics: tuple[tuple[str, float], ...] = ()
    watched: float | None = None

    @property
    def gradient_norm(self) -> float | None:
        """The norm of the whole gradient, of all these parts together."""
        return math.hypot(*(norm for _, norm in self.gradient_norms)) if self.gradient_norms else None

    @property
    def objective(self) -> float:
        """What decides which epoch is best, the lower the better: the validation loss where there is one."""
        if self.watched is not None:
            return self.watched
        return self.loss if self.validation_loss is None else self.validation_loss


@dataclass(frozen=True)
class HyperChange:
    """Hyper-parameters that a callback changed after a step: they are in force from the next one on."""

    step: int
    hyper: Mapping[str, float]


@dataclass(frozen=True, repr=False)
class History(Displayed):
    """The epochs of one training run, in order; `score_name` says what their scores are.

    `changes` are those of hyper-parameters while it ran; `watched` is the score that chose the best epoch.
    """

    spec_name: str
    score_name: ScoreName
    records: tuple[EpochRecord, ...]
    changes: tuple[HyperChange, ...] = ()
    watched: str | None = None

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest objective, the first of equals; 0 before any epoch."""
        best = min(self.records, key=lambda record: record.objective, default=None)
        return best.epoch if best else 0

    def __str__(self) -> str:
        """The epochs below each other, the first and last of many; of gradients, the whole norm alone."""
        count = len(self.records)
        columns = {n: v for n, v in self.columns().items() if not n.startswith(f"{GRADIENT_NORM}.")}
        lines = [f"{self.spec_name}: {count} {'epoch' if count == 1 else 'epochs'}, best {self.best_epoch}"]
        widths = [max(_WIDTH, len(name)) for name in columns]
        lines.append("  ".join(f"{name:>{width}}" for name, width in zip(columns, widths, strict=True)))
        rows = list(zip(*columns.values(), strict=True))
        shown = rows if count <= 2 * _SHOWN else [*rows[:_SHOWN], (), *rows[-_SHOWN:]]
        lines += [
            "  ".join(f"{_cell(v):>{w}}" for v, w in zip(row, widths, strict=False)) or "..." for row in shown
        ]
        return "\n".join(lines)

    def _picture(self) -> str | None:
        """The learning curves, where matplotlib is installed."""
        from symgrad.training.records.plot import history_svg

        return history_svg(self) if self.records else None

    def columns(self) -> dict[str, list[Any]]:
        """Column name -> one value per epoch; columns that were never measured are left out."""
        records = self.records
        columns: dict[str, list[Any]] = {
            "epoch": [record.epoch for record in records],
            "loss": [record.loss for record in records],
            self.score_name: [record.score for record in records],
            "validation_loss": [record.validation_loss for record in records],
            f"validation_{self.score_name}": [record.validation_score for record in records],
            **_by_name("validation_{}", [record.metrics for record in records]),
            "learning_rate": [record.learning_rate for record in records],
            "seconds": [record.seconds for record in records],
            GRADIENT_NORM: [record.gradient_norm for record in records],
        }
        columns |= _by_name(f"{GRADIENT_NORM}.{{}}", [record.gradient_norms for record in records])
        always = {"epoch", "loss", "seconds"}
        return {
            name: values
            for name, values in columns.items()
            if name in always or any(value is not None for value in values)
        }

    def as_dict(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes; not-a-number becomes None."""
        columns = {name: [finite(value) for value in values] for name, values in self.columns().items()}
        changes = [{"after_step": change.step, **change.hyper} for change in self.changes]
        return {
            "spec": self.spec_name,
            "best_epoch": self.best_epoch,
            "columns": columns,
            "changes": changes,
        }

    def write_csv(self, path: Path) -> None:
        """One line per epoch; what was not measured is an empty cell. Raises DataError."""
        columns, text = self.columns(), io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        write_whole(path, text.getvalue().encode())

    def write_json(self, path: Path) -> None:
        """`as_dict` as a JSON file. Raises DataError."""
        write_whole(path, json.dumps(self.as_dict(), indent=1, allow_nan=False).encode() + b"\n")


def _by_name(column: str, rows: Sequence[tuple[tuple[str, float], ...]]) -> dict[str, list[float | None]]:
    """A column for every name in rows of named numbers, called as `column` says."""
    known = [dict(row) for row in rows]
    names = dict.fromkeys(name for row in known for name in row)
    return {column.format(name): [row.get(name) for row in known] for name in names}


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def finite(value: float | None) -> float | None:
    """The value, or None where JSON has no number for it."""
    return value if value is not None and math.isfinite(value) else None
