"""Every demand of the lectures with its verdict, computed when asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from symgrad import api
from symgrad.errors import SymgradError
from symgrad.lectures.demand import Build, DemandSpecs, DisagreementError
from symgrad.lectures.demands import ROWS, Demand

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


@dataclass(frozen=True)
class DemandVerdict:
    """A demand, whether it is met, and the evidence, or what is wrong. `seconds` tells how long it took."""

    row: Demand
    holds: bool
    evidence: str
    seconds: float


def specs_folder() -> Path:
    """Where the lectures' specs lie: in the package when installed, among the examples in a checkout."""
    inside = Path(__file__).parent / "specs"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "examples" / "lectures"


def verdicts(only: Collection[int] = ()) -> Iterator[DemandVerdict]:
    """Check the demands of these numbers, or all, one after another."""
    for row in ROWS:
        if not only or row.number in only:
            yield judge(row, specs_folder(), api.build)


def judge(row: Demand, folder: Path, build: Build) -> DemandVerdict:
    """One demand: what is wrong is said, not raised."""
    start = time.perf_counter()
    try:
        evidence, holds = row.check(DemandSpecs(folder, row.specs, build)), True
    except (DisagreementError, SymgradError) as error:
        evidence, holds = str(error), False
    return DemandVerdict(row, holds, evidence, time.perf_counter() - start)
