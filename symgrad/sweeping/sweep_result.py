"""What came of a sweep: its trials in the order of the metric, as a table, as files and as a picture."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from symgrad.displayed import Displayed
from symgrad.errors import ModuleError, how_to_install
from symgrad.plain_text import plain_text
from symgrad.prediction.tables import write_table
from symgrad.sweeping.best_run import BEST
from symgrad.sweeping.sweep_picture import sweep_figure
from symgrad.sweeping.varied.dotted_entries import full_path
from symgrad.sweeping.varied.sweep_axes import short_names, shown, varied
from symgrad.training.records.plot import figure_svg, write_figure

if TYPE_CHECKING:
    from pathlib import Path

    from symgrad.sweeping.sweep_metrics import SweepMetric
    from symgrad.sweeping.varied.sweep_axes import SweepAxis
    from symgrad.sweeping.working.sweep_trial import TrialRow

SHOWN = 20
"""So many of the best trials are written out."""
PICTURE = "trials.png"
_DOUBTED = 5
SEED = "train.seed"
_TABLES = ("trials.csv", "trials.parquet")


@dataclass(frozen=True, repr=False)
class Sweep(Displayed):
    """The trials of a sweep, the best first, those without a value last; there are to be so many `trials`.

    `paths` are the files that were written, `notes` what there is to say about them.
    """

    spec_name: str
    axes: tuple[SweepAxis, ...]
    metric: SweepMetric
    rows: tuple[TrialRow, ...]
    trials: int
    folder: Path
    paths: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> TrialRow | None:
        """The best trial; None where none has a value."""
        return self.rows[0] if self.rows and self.rows[0].value is not None else None

    @property
    def is_complete(self) -> bool:
        """Whether all trials were made."""
        return len(self.rows) == self.trials

    @property
    def passed(self) -> bool:
        """Whether there is a best trial, and no trial is missing."""
        return self.is_complete and self.best is not None

    @cached_property
    def columns(self) -> dict[str, list[Any]]:
        """Column name -> one value for each trial: its values, its state, what was measured."""
        measured = dict.fromkeys(name for row in self.rows for name in row.numbers)
        found: dict[str, list[Any]] = {"trial": [row.number for row in self.rows]}
        found |= {axis.path: [row.values[axis.path] for row in self.rows] for axis in self.axes}
        found["state"] = [row.state for row in self.rows]
        found |= {name: [row.numbers.get(name) for row in self.rows] for name in measured}
        found["seconds"] = [row.seconds for row in self.rows]
        found["attempts"] = [row.attempts for row in self.rows]
        return {**found, "reason": [row.reason for row in self.rows]}

    def table(self) -> Group:
        """For a rich console: the best trials, and how many of the others ended how."""
        better = "smallest" if self.metric.direction == "minimize" else "largest"
        count = f"{len(self.rows)} of {self.trials}" if not self.is_complete else f"{self.trials}"
        noun = "trial" if count == "1" else "trials"
        title = f"{self.spec_name}: {count} {noun}, {better} {self.metric.name} first"
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        axes = varied(self.axes)
        for name in ("trial", *short_names(axes), self.metric.name, "seconds"):
            table.add_column(name, justify="right", overflow="fold")
        good = [row for row in self.rows if row.value is not None]
        for row in good[:SHOWN]:
            values = (shown(row.values[axis.path]) for axis in axes)
            table.add_row(str(row.number), *values, f"{row.value:.4g}", f"{row.seconds:.3g}")
        return Group(Text(title, style="bold"), table, *map(Text, self._below(len(good))))

    def _below(self, good: int) -> list[str]:
        """What is said below the table."""
        lines = [f"{good - SHOWN} more are in {_TABLES[0]}"] if good > SHOWN else []
        doubted = [row for row in self.rows if row.value is not None and row.reason]
        lines += [f"trial {row.number}: {row.reason}" for row in doubted[:_DOUBTED]]
        if len(doubted) > _DOUBTED:
            lines.append(f"and {len(doubted) - _DOUBTED} more trials in which equations are not solved")
        ends = Counter((row.state, row.reason) for row in self.rows if row.value is None)
        lines += [
            f"{number} {state}{f': {reason}' if reason else ''}"
            for (state, reason), number in ends.most_common(5)
        ]
        if len(ends) > 5:
            lines.append(f"and {len(ends) - 5} other reasons, in {_TABLES[0]}")
        if self.best is not None:
            values = ", ".join(f"{path}={shown(value)}" for path, value in self.best.values.items())
            lines.append(f"best: {values}")
        lines += self._best_mean()
        if not self.is_complete:
            lines.append(f"symgrad sweep --resume {self.folder} makes the others")
        elif any(row.state == "lost" for row in self.rows):
            lines.append(f"symgrad sweep --resume {self.folder} makes those again that are lost")
        return lines

    def _best_mean(self) -> list[str]:
        """Where seeds are varied beside something else: what is best in the mean over all of them."""
        axes = varied(self.axes)
        seeds = [axis for axis in axes if full_path(axis.path) == SEED]
        others = [axis for axis in axes if axis not in seeds]
        groups: dict[str, list[float]] = {}
        for row in self.rows if seeds and others else ():
            if row.value is None:
                continue
            values = ", ".join(f"{axis.path}={shown(row.values[axis.path])}" for axis in others)
            groups.setdefault(values, []).append(row.value)
        means = {
            values: (float(np.mean(found)), float(np.std(found, ddof=1)))
            for values, found in groups.items()
            if len(found) == seeds[0].size
        }
        if not means:
            return []
        choose = min if self.metric.direction == "minimize" else max
        best = choose(means, key=lambda values: means[values][0])
        mean, spread = means[best]
        return [f"best mean of {seeds[0].size} seeds: {best}: {mean:.4g}, standard deviation {spread:.2g}"]

    def __str__(self) -> str:
        lines = [plain_text(self.table(), 110), *(f"wrote {path}" for path in self.paths), *self.notes]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """A dictionary that `json.dumps` takes."""
        return {
            "spec": self.spec_name,
            "metric": self.metric.name,
            "direction": self.metric.direction,
            "trials": self.trials,
            "best": None if self.best is None else _record(self.best),
            "rows": [_record(row) for row in self.rows],
            "paths": [str(path) for path in self.paths],
            "notes": list(self.notes),
        }

    def write_csv(self, path: Path) -> None:
        """A line for each trial, the best first; the ending may also be .parquet, .json or .jsonl.

        Raises:
            DataError: the file cannot be written.
            ModuleError: Parquet needs pyarrow, and that is missing.
        """
        write_table(path, [{name: _column(values) for name, values in self.columns.items()}])

    def write_picture(self, path: Path) -> None:
        """Draw the trials: a curve over one axis, a map over two of numbers, else parallel coordinates.

        Raises:
            DataError: the file cannot be written, or the format is unknown.
            ModuleError: matplotlib is missing.
        """
        figure = sweep_figure(self)
        if figure is None:
            raise ModuleError("matplotlib is missing", remedy=how_to_install("plot"))
        write_figure(figure, path)

    def _picture(self) -> str | None:
        figure = sweep_figure(self)
        return None if figure is None else figure_svg(figure)


def in_order(rows: Any, metric: SweepMetric) -> tuple[TrialRow, ...]:
    """The trials, the best first and those without a value last, each in the order of their numbers."""
    sign = 1 if metric.direction == "minimize" else -1
    return tuple(sorted(rows, key=lambda row: (row.value is None, sign * (row.value or 0.0), row.number)))


def written(sweep: Sweep) -> Sweep:
    """The sweep with the files that it wrote into its folder. Raises DataError when one cannot be written."""
    paths, notes = [], []
    for name in (*_TABLES, PICTURE):
        path = sweep.folder / name
        try:
            if name == PICTURE:
                sweep.write_picture(path)
            else:
                sweep.write_csv(path)
            paths.append(path)
        except ModuleError as error:
            notes.append(f"no {name}: {error}")
    if sweep.best is not None:
        paths.append(sweep.folder / BEST)
    return replace(sweep, paths=tuple(paths), notes=(*sweep.notes, *notes))


def _record(row: TrialRow) -> dict[str, Any]:
    return {
        "trial": row.number,
        "values": dict(row.values),
        "state": row.state,
        "value": row.value,
        **row.numbers,
        "seconds": row.seconds,
        "attempts": row.attempts,
        "reason": row.reason,
    }


def _column(values: list[Any]) -> Any:
    """A column of a table, masked where there is no value; words where not all are numbers."""
    empty = np.array([value is None for value in values])
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, bool) for value in known):
        kind: Any = bool
    elif known and all(isinstance(value, int) and not isinstance(value, bool) for value in known):
        kind = np.int64
    elif all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        kind = np.float64
    else:
        kind, values = str, [None if value is None else _text(value) for value in values]
    filled = np.array([kind() if value is None else value for value in values], dtype=kind)
    return np.ma.MaskedArray(filled, mask=empty)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)
