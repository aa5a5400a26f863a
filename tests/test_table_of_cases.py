"""The table of inputs that once went wrong is complete: each has one line, and the test it names is there.

A line of cases/table.txt says of a case what becomes of it now, and which test proves it: `right`, `refused`
with a message that says how to go on, `warned` of, or `documented` as a limit.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest

IDS = set(
    """
BUG1 BUG2 BUG3 BUG4 BUG5 BUG5b BUG5c BUG7 CUBE A05 A05b A06 A06b A12 A12b A18d A18k A18p A18q A18u A18v A18y
A18za A18zt A18zu B02 B07 B10 B11b B16 B16b C01 C02 C04 C05 C12 C14 C16 C18 E01 E02 E07 E12 E14 E20 F01 F02
F06 F07 F08 F15 A67b BUG5e A59 Y14 Y16 Y24 Y32 Y34 Y35 Y38 Y39 Y48 Y53 Y58 Y59 Y61 Y62 Y65 Y66 Y68 Y69 Y94
D01 D02 D06 D07 D09 D10 D17 D19 D27 D34 D40 D41 D46 D47 D61 N12 N17 P01 P05 B18b A21h A22d ST BUG6 E09 E18
S01 S02 S09 G02 G03 G12 G13 G15 M14 M15 M18 M20 M23 M24 OOB2 V02d V06 V06c V07e V08h W1 W2 W3 W4 W5 W6 W7
W8 W9 W12 W10 W11
""".split()  # noqa: SIM905  # as the table has them
)
STATES = {"right", "refused", "warned", "documented"}
DOCUMENTED = {
    "A18q": "`sqrt(x**2 + y**2)` beyond 1e154",
    "A18v": "the slope of `(exp(x) - 1)/x`",
    "E09": "the same number of threads",
}
HERE = Path(__file__).parent


class Row(NamedTuple):
    """A line of the table: the test in a file that proves a case, and which parameter of it is this case."""

    case: str
    state: str
    file: str
    test: str
    parameter: str | None


def rows() -> list[Row]:
    line = re.compile(r"(\w+) +(\w+) (\w+)::(\w+)(?:\[(.+)\])?\n")
    text = (HERE / "cases" / "table.txt").read_text(encoding="utf-8")
    found = [Row(*match.groups()) for match in line.finditer(text)]
    assert len(found) == text.count("\n")
    return found


def parameters(test: Any) -> set[str]:
    """The words by which a test knows its parameters."""
    marks = [mark for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    return {str(value) for mark in marks for value in mark.args[1]}


def test_every_case_has_one_row() -> None:
    cases = [row.case for row in rows()]
    assert len(cases) == len(IDS)
    assert set(cases) == IDS


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.case)
def test_its_proof_is_there(row: Row) -> None:
    assert row.state in STATES
    test = getattr(import_module(row.file), row.test)
    if row.parameter is None:
        assert not parameters(test)
    else:
        assert row.parameter in parameters(test)


@pytest.mark.parametrize("case", DOCUMENTED)
def test_limits_are_documented(case: str) -> None:
    assert DOCUMENTED[case] in " ".join((HERE.parent / "README.md").read_text(encoding="utf-8").split())
