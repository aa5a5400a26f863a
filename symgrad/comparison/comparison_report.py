"""The ways to a derivative, side by side: for people a table, for machines a dict."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from symgrad.displayed import Displayed
from symgrad.plain_text import plain_text

if TYPE_CHECKING:
    from symgrad.comparison.manual import Claim
    from symgrad.comparison.ways import Kind

_STYLE = {"agrees": "green", "right": "green", "off": "bold red", "wrong": "bold red", "not run": "dim"}


@dataclass(frozen=True)
class Result:
    """What one way gave.

    `entry` is its value for the entry that all ways show, `norm` the length of its gradient, `error` the
    largest difference from the reference, and `relative` that as a part of the reference's largest entry.
    `seconds` is the time of one gradient, `first_seconds` that of the first call, compiling included.
    `kinks` counts the entries left out because a step crossed a kink of the loss. The way is off if the
    error exceeds `accuracy` times the largest entry or the loss.
    """

    kind: Kind
    name: str
    verdict: Literal["agrees", "off", "not run"]
    accuracy: float
    evaluations: int
    loss: float | None = None
    entry: float | None = None
    norm: float | None = None
    error: float | None = None
    relative: float | None = None
    seconds: float | None = None
    first_seconds: float | None = None
    kinks: int = 0
    note: str = ""


@dataclass(frozen=True, repr=False)
class Comparison(Displayed):
    """The ways to the gradient of one loss. It prints as a plain table; `table()` is for a terminal.

    `size` is how many numbers the loss is differentiated by, `entry` names the one that all ways show.
    """

    name: str
    size: int
    origin: str
    entry: str
    reference: str
    results: tuple[Result, ...]
    claims: tuple[Claim, ...]

    @property
    def passed(self) -> bool:
        """Whether no way is off and no claim is wrong."""
        return not any(r.verdict == "off" for r in self.results) and not any(
            claim.verdict == "wrong" for claim in self.claims
        )

    def table(self) -> Group:
        """For a rich console: the ways, what is to be known of them, then the manual formulas."""
        head = f"{self.name}: the gradient of the loss by {self.size:,} numbers, {len(self.results)} ways"
        notes = [Text(f"{r.name}: {r.note}") for r in self.results if r.note]
        return Group(Text(head, style="bold"), _ways(self), *notes, *map(Text, _legend(self)), *_manual(self))

    def as_dict(self) -> dict[str, Any]:
        """The comparison as JSON can hold it; a number that is not finite becomes None."""
        ways = [{key: _finite(value) for key, value in asdict(r).items()} for r in self.results]
        return {
            "name": self.name,
            "passed": self.passed,
            "size": self.size,
            "data": self.origin,
            "entry": self.entry,
            "reference": self.reference,
            "ways": ways,
            "claims": [_claim(claim) for claim in self.claims],
        }

    def __str__(self) -> str:
        return plain_text(self.table())


def _ways(comparison: Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("way", no_wrap=True)
    for title in ("loss", f"dloss/d{comparison.entry}", "error", "evaluations", "time"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for r in comparison.results:
        table.add_row(
            *(r.kind, r.name, _shown(r.loss, ".6g"), _shown(r.entry, ".9g"), _shown(r.relative, ".0e")),
            *(f"{r.evaluations:,}" if r.evaluations else "", _duration(r.seconds)),
            Text(r.verdict, style=_STYLE[r.verdict]),
        )
    return table


def _legend(comparison: Comparison) -> tuple[str, ...]:
    return (
        f"point: random parameters, {comparison.origin}; everything in float64",
        f"error: the largest difference from {comparison.reference}, as a part of the largest entry",
        "time: of one gradient, the fastest of several runs, without the first, in which code is compiled",
    )


def _manual(comparison: Comparison) -> tuple[Text | Table, ...]:
    if not comparison.claims:
        return ()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("manual", no_wrap=True)
    table.add_column("derivative by", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("")
    for claim in comparison.claims:
        axes = f" [{', '.join(map(str, claim.axes))}]" if claim.axes else ""
        verdict = Text(claim.verdict, style=_STYLE.get(claim.verdict, "yellow"))
        table.add_row(claim.name, Text(claim.of + axes), verdict, Text(_said(claim)))
    return (table,)


def _said(claim: Claim) -> str:
    if claim.verdict == "no evidence":
        return "zero at every point tried, and so is the derivative"
    return claim.message or f"every entry agrees with the derivative, to {claim.digits} digits"


def _shown(value: float | None, style: str) -> str:
    return "" if value is None else f"{value:{style}}" if value else "0"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, name in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= unit:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 1e-6:.3g} µs"


def _claim(claim: Claim) -> dict[str, Any]:
    record = asdict(claim)
    where = claim.where and {**record["where"], "index": list(claim.where.index)}
    if where:
        where = {key: _finite(value) for key, value in where.items()}
    return {**record, "axes": list(claim.axes), "where": where, "message": claim.message}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
