"""The findings of an examination: for people a table, for machines a dict."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Literal

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from symgrad.displayed import Displayed
from symgrad.plain_text import plain_text

Verdict = Literal["fine", "warning", "broken"]

_STYLE = {"fine": "", "warning": "yellow", "broken": "bold red"}


@dataclass(frozen=True)
class Finding:
    """What was found about something. A warning or what is broken comes with a `remedy`.

    `number` is the value of what was measured, in bytes, seconds or units per second.
    """

    topic: str
    name: str
    value: str
    verdict: Verdict = "fine"
    remedy: str = ""
    number: float | None = None


@dataclass(frozen=True, repr=False)
class Diagnosis(Displayed):
    """All findings, topic after topic. It prints as a plain table; `table()` is for a terminal."""

    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether symgrad can work here."""
        return not any(f.verdict == "broken" for f in self.findings)

    def table(self) -> Group:
        """For a rich console: the findings, then what to do about those that are not fine."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=False)
        for _ in range(3):
            table.add_column()
        for topic, findings in groupby(self.findings, key=lambda f: f.topic):
            for number, f in enumerate(findings):
                shown = Text(topic, style="bold") if number == 0 else ""
                table.add_row(shown, f.name, Text(f.value, style=_STYLE[f.verdict]))
            table.add_section()
        return Group(table, *(_advice(f) for f in self.findings if f.verdict != "fine"), self._end())

    def as_dict(self) -> dict[str, Any]:
        """The findings as JSON can hold them."""
        return {"passed": self.passed, "findings": [asdict(f) for f in self.findings]}

    def __str__(self) -> str:
        return plain_text(self.table())

    def _end(self) -> Text:
        if self.passed:
            return Text("symgrad works here", style="green")
        return Text("symgrad cannot work here", style="bold red")


def _advice(finding: Finding) -> Text:
    said = f"{finding.verdict}: {finding.topic}, {finding.name}: {finding.value}"
    return Text(f"{said}\n    {finding.remedy}", style=_STYLE[finding.verdict])
