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
from symgrad.training.records.plot import history_svg

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from symgrad.training.scores.metrics import ScoreName

HISTORY_CSV, HISTORY_LINES, HISTORY_JSON = "history.csv", "history.jsonl", "history.json"
GRADIENT_NORM = "gradient_norm"
"""The column of the whole gradient's norm; those of parameters bear their names after a dot."""

_SHOWN, _WIDTH = 10, 8
"""So many of the first and last epochs are written out, in columns at least so wide."""


@dataclass(frozen=True)
class EpochRecord:
    """One epoch, counted from 1; what was not measured is None. Iterations by which `finish` ends a training
    count on as epochs do, and have an `iteration`, from 1, too.

    `loss` is the mean over the epoch's rows while it ran, the scores are measured at its end.
    `seconds` is the time of the training steps alone. `step` is its last one, counted from 1 over all epochs,
    `learning_rate` that of this step, as a schedule has it, `hyper` the module's numbers in force.
    `gradient_norms` are those of each parameter's part of the gradient of one batch, at the end of the epoch,
    where training was asked to monitor gradients; `metrics` are the scores asked for, on the rows held out.
    `watched` falls as the score does rise by which the best epoch is chosen; None: the loss chooses it.
    Where the spec asks for an `average`, scores are measured with the moving average of the parameters. A
    callback gets it as `averaged`, beside the parameters that training goes on from; no record keeps it.
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
    iteration: int | None = None
    averaged: Any = field(default=None, compare=False, repr=False)

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
        lines = [f"{self.spec_name}: {counted(self.records)}, best {self.best_epoch}"]
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
        return history_svg(self) if self.records else None

    def columns(self) -> dict[str, list[Any]]:
        """Column name -> one value per epoch; columns that were never measured are left out."""
        rows = [row_of(record, self.score_name) for record in self.records]
        always = dict.fromkeys(("epoch", "loss", "seconds") if not rows else ())
        names = always | dict.fromkeys(name for row in rows for name in row)
        columns = {name: [row.get(name) for row in rows] for name in names}
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
        columns = self.columns()
        rows = [columns.keys(), *zip(*columns.values(), strict=True)]
        write_whole(path, "".join(map(csv_line, rows)).encode())

    def write_lines(self, path: Path) -> None:
        """One JSON object per line and epoch. Raises DataError."""
        columns = self.columns()
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        write_whole(path, "".join(map(json_line, rows)).encode())

    def write_json(self, path: Path) -> None:
        """`as_dict` as a JSON file. Raises DataError."""
        write_whole(path, json.dumps(self.as_dict(), indent=1, allow_nan=False).encode() + b"\n")


def counted(records: Sequence[EpochRecord]) -> str:
    """How many epochs there were, and how many iterations after them."""
    iterations = sum(record.iteration is not None for record in records)
    epochs = len(records) - iterations
    told = [f"{epochs} {'epoch' if epochs == 1 else 'epochs'}"] if epochs or not iterations else []
    told += [f"{iterations} {'iteration' if iterations == 1 else 'iterations'}"] if iterations else []
    return " and ".join(told)


def row_of(record: EpochRecord, score_name: ScoreName) -> dict[str, float | None]:
    """The numbers of an epoch by the names of their columns; None for what was not measured."""
    return {
        "epoch": record.epoch,
        "iteration": record.iteration,
        "loss": record.loss,
        score_name: record.score,
        "validation_loss": record.validation_loss,
        f"validation_{score_name}": record.validation_score,
        **{f"validation_{name}": value for name, value in record.metrics},
        "learning_rate": record.learning_rate,
        "seconds": record.seconds,
        GRADIENT_NORM: record.gradient_norm,
        **{f"{GRADIENT_NORM}.{name}": value for name, value in record.gradient_norms},
    }


def csv_line(cells: Iterable[Any]) -> str:
    """A row of a CSV file; None is an empty cell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def json_line(row: Mapping[str, float | None]) -> str:
    """A JSON object in a line; not-a-number becomes null."""
    return json.dumps({name: finite(value) for name, value in row.items()}, allow_nan=False) + "\n"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def finite(value: float | None) -> float | None:
    """The value, or None where JSON has no number for it."""
    return value if value is not None and math.isfinite(value) else None
