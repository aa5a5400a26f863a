"""What lectures shows: every demand with its verdict, as soon as it is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from symgrad.cli.endings import FAILED, GOOD
from symgrad.cli.output import produce, produce_json, say
from symgrad.lectures.verdicts import verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.lectures.verdicts import DemandVerdict


def show_verdicts(numbers: Sequence[int], as_json: bool) -> int:
    """Check the demands of these numbers, or all."""
    found = []
    for verdict in verdicts(numbers):
        found.append(verdict)
        if not as_json:
            produce("\n".join(_lines(verdict)))
    if as_json:
        produce_json({"rows": [_record(verdict) for verdict in found]})
    holding = sum(verdict.holds for verdict in found)
    say(f"{holding} of {len(found)} demands of the lectures are met")
    return GOOD if holding == len(found) else FAILED


def _lines(verdict: DemandVerdict) -> list[str]:
    row = verdict.row
    word = click.style("holds", fg="green") if verdict.holds else click.style("FAILS", fg="red", bold=True)
    specs = " ".join(f"{name}.yaml" for name in row.specs)
    return [
        f"{row.number:>2} {word}  lecture {row.lecture}: {row.demand}",
        f"          {verdict.evidence}",
        click.style(f"          {specs}  {verdict.seconds:.1f} s", dim=True),
    ]


def _record(verdict: DemandVerdict) -> dict[str, Any]:
    row = verdict.row
    return {
        "row": row.number,
        "lecture": row.lecture,
        "demand": row.demand,
        "specs": list(row.specs),
        "holds": verdict.holds,
        "evidence": verdict.evidence,
        "seconds": verdict.seconds,
    }
