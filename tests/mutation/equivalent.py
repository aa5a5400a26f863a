"""Faults that no caller can see, and why: each argument covers a kind of place, not one mutant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mutation.judging import Outcome

ARGUED: tuple[tuple[str, str, str], ...] = (
    (
        "own verify",
        ".*",
        "its data, steps or allowances are others, but it still passes the right module and fails every "
        "planted wrong gradient: one entry 0.01 % off, of the opposite sign, lost, NaN",
    ),
    (
        "epoch",
        r"_epoch:.*(gathered|constant: 0\.0)|_gather:.*(sign|rows\[0\] \* 0|rows\[k\] \* 0)",
        "only whether the sum of what was gathered is finite is asked, not its value",
    ),
    ("epoch", r".*AHEAD|.*prefetch", "rows are asked for earlier or later; nothing else changes"),
    (
        "epoch",
        r"train_epoch:.*(not math.isfinite\(value\) -> True)",
        "the data is looked at once more than is needed",
    ),
    ("public", r"_work_size:", "the workspace is larger than is needed"),
    (
        "public",
        r"_kept:.*(setattr|memory is None|memory.dtype|memory.size|or )",
        "memory is made anew more often than is needed",
    ),
    (
        "checks",
        r"_fitting:.*int64|_checked:.*(fitting|good|min|max|CLASSES|IGNORED|kind)",
        "the branch is for labels, or its shorter way gives what the longer one gives",
    ),
)
"""A kind of definition, what the fault's title must match, and why a fault there changes nothing visible."""


def argument(outcome: Outcome) -> str:
    """Why a survivor is the same module to every caller; empty where it is not."""
    for region, pattern, reason in ARGUED:
        if outcome.region == region and re.match(pattern, outcome.title):
            return reason
    return ""
