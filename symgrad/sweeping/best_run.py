"""The folder of the best run of a sweep, replaced whole whenever a better one has ended."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

from symgrad.errors import DataError
from symgrad.sweeping.varied.sweep_axes import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from symgrad.sweeping.sweep_metrics import SweepMetric
    from symgrad.sweeping.working.sweep_trial import TrialRow

BEST, NOTE = "best", "trial.json"
_NEW, _OLD = ".best.part", ".best.before"
SCRATCH = ".trials"
"""Where processes of this machine put the files of runs that may be the best."""


def is_before(row: TrialRow, other: TrialRow | None, metric: SweepMetric) -> bool:
    """Whether a trial is better than another one; of equals, the first is."""
    if row.value is None or other is None or other.value is None:
        return row.value is not None
    if row.value == other.value:
        return row.number < other.number
    return metric.is_better(row.value, other.value)


def best_of(rows: Iterable[TrialRow], metric: SweepMetric) -> TrialRow | None:
    """The best trial; None where none has a value."""
    best: TrialRow | None = None
    for row in rows:
        if is_before(row, best, metric):
            best = row
    return best


def clear(folder: Path) -> None:
    """Remove what processes left that were killed."""
    for left in (SCRATCH, _NEW, _OLD):
        shutil.rmtree(folder / left, ignore_errors=True)


def keep_best(folder: Path, row: TrialRow, files: Mapping[str, bytes]) -> None:
    """Put the files of a run in place of those of the best before. Raises DataError when that fails."""
    new, old, place = folder / _NEW, folder / _OLD, folder / BEST
    note = {"trial": row.number, "values": {path: shown(value) for path, value in row.values.items()}}
    try:
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
        for name, content in {**files, NOTE: json.dumps(note, indent=1).encode() + b"\n"}.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes(content)
        if place.exists():
            place.rename(old)
        new.rename(place)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        problem = f"the best run cannot be kept: {error.strerror}"
        raise DataError(problem, at=str(place), remedy=f"make room; --resume {folder} goes on") from None


def kept_best(folder: Path) -> int | None:
    """The number of the trial whose run is kept; None where none is, or its note is damaged."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        found = json.loads((folder / BEST / NOTE).read_text(encoding="utf-8"))["trial"]
        return found if isinstance(found, int) else None
    return None
