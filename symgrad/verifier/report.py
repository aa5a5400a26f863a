"""What a verification found, for people and for machines."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Group
from rich.table import Table
from rich.text import Text

from symgrad.displayed import Displayed
from symgrad.plain_text import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable

Verdict = Literal["pass", "fail", "no evidence"]

Certainty = Literal["identical", "certified", "measured", "not checked"]
"""How a verdict was reached: on exact numbers, entry by entry; by bounds that are proved; by measuring at
points; or not at all."""

_STYLE = {"pass": "green", "fail": "bold red", "no evidence": "yellow"}


@dataclass(frozen=True)
class GradientEntry:
    """One entry of a gradient, as the module has it and as the spec's own differences have it."""

    index: tuple[int, ...]
    module: float
    spec: float
    point: str


@dataclass(frozen=True)
class ParameterResult:
    """The gradient of one tensor, over all points. `error` is relative; see `compare_block`."""

    name: str
    shape: tuple[int, ...]
    error: float
    tolerance: float
    verdict: Verdict
    where: GradientEntry | None = None
    message: str = ""


@dataclass(frozen=True)
class Check:
    """One thing that was checked beside the parameters' gradients."""

    name: str
    what: str
    error: float
    tolerance: float
    verdict: Verdict
    message: str = ""
    certainty: Certainty = "measured"


def any_failed(checks: Iterable[Check]) -> bool:
    """Whether one of these failed."""
    return any(check.verdict == "fail" for check in checks)


@dataclass(frozen=True, repr=False)
class Report(Displayed):
    """The verdict on a module. It prints as a plain table; `table()` is the same for a terminal.

    `edited` names what is not as symgrad emits it, with its lines: nothing but its behaviour, as far as it
    was tried, speaks for it, so a module that passed is still said to be edited. `kept` says when, and of
    which text, a verdict was found that was not found now.
    """

    name: str
    parameters: tuple[ParameterResult, ...]
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    kept: str = ""

    def written(self) -> str:
        """All of it as text, which `read` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Report:
        """The report that was written."""
        record = json.loads(text)
        return cls(
            record["name"],
            tuple(map(_parameter, record["parameters"])),
            tuple(Check(**check) for check in record["checks"]),
            tuple(record["notes"]),
            tuple(record["edited"]),
            record["kept"],
        )

    @property
    def passed(self) -> bool:
        """Whether nothing failed, and anything was checked at all."""
        verdicts = [r.verdict for r in self._results]
        return bool(verdicts) and "fail" not in verdicts

    @property
    def is_identical(self) -> bool:
        """Whether its text was compared with the spec, exactly or to its digits, and nothing failed."""
        return self.passed and any(c.name == "identity" and c.verdict == "pass" for c in self.checks)

    @property
    def _results(self) -> tuple[ParameterResult | Check, ...]:
        return (*self.parameters, *self.checks)

    @property
    def failures(self) -> tuple[str, ...]:
        """One line for every failure."""
        return tuple(f"{r.name}: {r.message}" for r in self._results if r.verdict == "fail")

    @property
    def unproved(self) -> tuple[str, ...]:
        """One line for everything that there is no evidence of."""
        return tuple(f"{r.name}: {r.message}" for r in self._results if r.verdict == "no evidence")

    def table(self) -> Group:
        """For a rich console: the table, then what failed and what should be known."""
        edited = ", edited by hand: only as far as its behaviour was tried" if self.edited else ""
        title = f"{self.name}: {f'passed{edited}' if self.passed else 'FAILED'}"
        table = Table(title=title, title_justify="left", title_style="bold")
        table.add_column("check", no_wrap=True)
        table.add_column("what")
        table.add_column("error", justify="right", no_wrap=True)
        table.add_column("tolerance", justify="right", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        table.add_column("certainty", no_wrap=True)
        for p in self.parameters:
            what = f"gradient {list(p.shape)}" if p.shape else "gradient, a scalar"
            _add(table, p.name, what, p)
        for check in self.checks:
            _add(table, check.name, check.what, check)
        lines = [Text(line, style="red") for line in self.failures]
        kept = [f"judged before, on {self.kept}"] if self.kept else []
        return Group(table, *lines, *(Text(f"note: {note}") for note in (*self.notes, *kept)))

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON can hold it; an error that is no finite number becomes None."""
        return {
            "name": self.name,
            "passed": self.passed,
            "parameters": [_plain(p) for p in self.parameters],
            "checks": [_plain(check) for check in self.checks],
            "notes": list(self.notes),
            "edited": list(self.edited),
            "kept": self.kept or None,
        }

    def __str__(self) -> str:
        return plain_text(self.table())


def _parameter(record: dict[str, Any]) -> ParameterResult:
    shape, where = tuple(record.pop("shape")), record.pop("where")
    entry = where and GradientEntry(**{**where, "index": tuple(where["index"])})
    return ParameterResult(shape=shape, where=entry, **record)


def _add(table: Table, name: str, what: str, result: ParameterResult | Check) -> None:
    error, tolerance = f"{result.error:.1e}", f"{result.tolerance:.0e}"
    verdict = Text(result.verdict, style=_STYLE[result.verdict])
    table.add_row(Text(name), Text(what), error, tolerance, verdict, Text(_certainty(result)))


def _certainty(result: ParameterResult | Check) -> Certainty:
    if result.verdict == "no evidence":
        return "not checked"
    return result.certainty if isinstance(result, Check) else "measured"


def _plain(result: ParameterResult | Check) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": result.name,
        "error": _finite(result.error),
        "tolerance": result.tolerance,
        "verdict": result.verdict,
        "message": result.message,
        "certainty": _certainty(result),
    }
    if isinstance(result, Check):
        return {**record, "what": result.what}
    where = result.where
    entry = where and {
        "index": list(where.index),
        "module": _finite(where.module),
        "spec": _finite(where.spec),
        "point": where.point,
    }
    return {**record, "shape": list(result.shape), "where": entry}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
