"""The journal of a sweep: a line for what it was told, then one for each trial that ended, never changed.

Each line is written at once, with a sum by which damage is seen. So a sweep that is killed at any moment goes
on with all trials that had ended.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

from symgrad.errors import DataError, DataWarning, SpecError, warn
from symgrad.files import write_whole
from symgrad.sweeping.sweep_plan import SweepPlan, plan_of
from symgrad.sweeping.working.sweep_trial import TrialRow

JOURNAL = "journal.jsonl"
_REMEDY = "name the folder of a sweep, or begin anew with --out OTHER"


@dataclass(frozen=True)
class JournalContent:
    """What a journal says: the plan, by which sources and on which data, and the trials that ended."""

    plan: SweepPlan
    sources: str
    data_sha256: str
    rows: Mapping[int, TrialRow]


def begin_journal(folder: Path, content: JournalContent) -> None:
    """Write what a sweep was told.

    Raises:
        DataError: there is a sweep already, or the folder cannot be written.
    """
    file = folder / JOURNAL
    if file.exists():
        remedy = f"--resume {folder} goes on with it; --out OTHER begins another"
        raise DataError("there is a sweep in this folder", at=str(folder), remedy=remedy)
    told = {"plan": content.plan.record(), "sources": content.sources, "data_sha256": content.data_sha256}
    write_whole(file, _line({"sweep": told}))


def append_row(folder: Path, row: TrialRow) -> None:
    """Write down a trial. Raises DataError when that fails."""
    _append(folder, {"trial": asdict(row)})


def append_trials(folder: Path, trials: int) -> None:
    """Write down that there are to be so many trials. Raises DataError when that fails."""
    _append(folder, {"trials": trials})


def read_journal(folder: Path) -> JournalContent:
    """What the journal in a folder says; of lines that are damaged is warned, and their trials are not there.

    The last line, where a writer was killed in the midst of it, is cut off.

    Raises:
        DataError: there is no journal, or what the sweep was told is damaged.
    """
    file = folder / JOURNAL
    try:
        content = file.read_bytes()
    except OSError as error:
        problem = f"there is no sweep here to go on with: {error.strerror}"
        raise DataError(problem, at=str(file), remedy=_REMEDY) from None
    first, *others = content.split(b"\n")
    told = _record(first)
    try:
        said = told["sweep"] if told else {}
        plan, sources, data = plan_of(said["plan"]), str(said["sources"]), str(said["data_sha256"])
    except (KeyError, TypeError, ValueError, SpecError) as error:
        problem = f"what the sweep was told cannot be read ({type(error).__name__})"
        raise DataError(problem, at=f"{file}:1", remedy=_REMEDY) from None
    rows, trials = _rows(file, others, plan.trials)
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(file, whole)
    return JournalContent(replace(plan, trials=trials), sources, data, rows)


def _rows(file: Path, lines: list[bytes], trials: int) -> tuple[dict[int, TrialRow], int]:
    rows: dict[int, TrialRow] = {}
    for number, line in enumerate(lines[:-1], 2):  # behind the last line break is nothing, or what was cut
        record = _record(line) or {}
        try:
            if "trials" in record:
                trials = int(record["trials"])
            else:
                row = TrialRow(**record["trial"])
                rows[row.number] = row
        except (KeyError, TypeError, ValueError):
            remedy = "the trial that it was of is made again"
            warn(DataWarning("this line is damaged", at=f"{file}:{number}", remedy=remedy))
    return rows, trials


def _line(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, allow_nan=False, separators=(",", ":"))
    return f"{crc32(text.encode()):08x} {text}\n".encode()


def _record(line: bytes) -> dict[str, Any] | None:
    """What a line says; None where it is damaged."""
    seal, _, text = line.partition(b" ")
    if not text or seal != f"{crc32(text):08x}".encode():  # the sum of nothing is a sum too
        return None
    found = json.loads(text)
    return found if isinstance(found, dict) else None


def _append(folder: Path, record: Mapping[str, Any]) -> None:
    file, line = folder / JOURNAL, _line(record)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_APPEND)
        try:
            written = os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)
        if written < len(line):
            raise OSError(0, "the disk is full")
    except OSError as error:
        problem = f"a trial cannot be written down: {error.strerror}"
        remedy = f"make room; --resume {folder} goes on"
        raise DataError(problem, at=str(file), remedy=remedy) from None
