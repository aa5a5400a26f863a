"""How a CSV file is written: its separator, its decimal mark, its header, and the lines above its rows."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from symgrad.errors import DataError, DataWarning, warn
from symgrad.training.dataset.cells import has_decimal_comma, is_meant_as_number, is_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from symgrad.training.dataset.preparation import Dialect

SEPARATORS = "\t;,|"
"""In the order of preference: those further back may stand within a cell."""
SPACES = " "
SAMPLE = 50
_SEPARATOR_LINE = re.compile(r"""["']?sep=(.)["']?\s*""", re.IGNORECASE)
_FOREIGN = {"{": "JSON", "[{": "JSON", "[[": "JSON", "<!": "HTML", "<html": "HTML", "<?xml": "XML"}


@dataclass(frozen=True)
class CsvLayout:
    """`above` lines stand above the rows; `names` of a file without a header are "1", "2", ...

    `has_names` where the names say more than that, `has_header` where the first row holds them.
    """

    label: str
    separator: str
    above: int
    names: tuple[str, ...]
    has_names: bool
    has_header: bool
    decimal: str

    def place(self, line: int, column: int) -> str:
        """A cell for people: `digits.csv:17, column 'p4'`; lines count from 1."""
        return f"{self.label}:{line}, column '{self.names[column]}'"

    def start(self, text: Iterator[str]) -> int:
        """Leave out the lines above the first row, and say how many they are."""
        for _ in islice(text, self.above):
            pass
        reader = _split(text, self.separator, strict=True)
        if self.has_header:
            next(filter(_is_filled, reader))
        return self.above + int(reader.line_num)

    def rows(self, lines: Iterable[str], count: int, above: int) -> tuple[list[tuple[int, list[str]]], int]:
        """The filled rows of the first `count` lines, each with its line, and how many lines they take.

        A cell in quotes may go on behind them. `above` lines stand before.
        """
        rows, reader = [], _split(lines, self.separator, strict=True)
        for row in reader:
            if _is_filled(row):
                rows.append((above + reader.line_num, row))
            if reader.line_num >= count:
                break
        return rows, reader.line_num


def layout_of(text: Iterable[str], label: str, dialect: Dialect) -> CsvLayout:
    """The layout of a file, as `dialect` says, or as its first rows tell.

    Raises:
        DataError: the file is empty, or no CSV.
    """
    lines = list(islice(text, SAMPLE))
    _refuse_foreign(lines, label)
    given = _SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    above = 1 if given else 0
    comment = ""
    while above < len(lines) and (lines[above].startswith("#") or not lines[above].strip()):
        comment, above = lines[above].lstrip("# ") or comment, above + 1
    separator = dialect.delimiter or (given[1] if given else _separator(lines[above:]))
    first = next(filter(_is_filled, _split(lines[above:], separator, strict=True)), None)
    if first is None:
        raise DataError("the file is empty", at=label, remedy="give it one line per row")
    _refuse_title(lines[above:], first, f"{label}:{above + 1}", dialect.delimiter)
    decimal = dialect.decimal or _decimal(lines[above:], separator)
    below = list(filter(_is_filled, _split(lines[above:], separator)))[1:]
    said = [name.strip() for row in _split([comment], separator) for name in row]
    if _is_header(first, below, label, dialect.header):
        names = tuple(cell.strip() for cell in first)
        return CsvLayout(label, separator, above, names, not _counts(first), True, decimal)
    if len(said) == len(first) and not any(map(is_number, said)):
        return CsvLayout(label, separator, above, tuple(said), True, False, decimal)
    numbers = tuple(str(position) for position, _ in enumerate(first, 1))
    return CsvLayout(label, separator, above, numbers, False, False, decimal)


def _refuse_foreign(lines: list[str], label: str) -> None:
    start = next((line.strip().lower() for line in lines if line.strip()), "")
    for mark, kind in _FOREIGN.items():
        if start.startswith(mark):
            problem = f"this is {kind} and not CSV"
            raise DataError(problem, at=f"{label}:1", remedy="save it as lines of numbers with a header")


def _refuse_title(lines: list[str], first: list[str], at: str, said: str | None) -> None:
    """Refuse a line above the header that has one cell, where the next has several.

    Where something is said to divide cells, all lines may be divided by something else.
    """
    below = [line for line in lines if line.strip()][1:]
    if len(first) == 1 and below:
        width = len(next(_split(below, _separator(below))))
        if width > 1:
            problem = f"this line has 1 cell, the next has {width}"
            remedy = "leave out lines above the header, or begin them with '#'"
            if said is not None:
                remedy += f"; 'delimiter' of this file, or of that in training, is {said!r}"
            raise DataError(problem, at=at, remedy=remedy)


def _separator(lines: list[str]) -> str:
    """What divides most rows as it divides the first; white space where nothing else divides all."""
    best = max(SEPARATORS, key=lambda separator: _agreement(lines, separator))
    if _agreement(lines, best) == 0 and _agreement(lines, SPACES) == 1:
        return SPACES
    return best if _agreement(lines, best) else ","


def _decimal(lines: list[str], separator: str) -> str:
    """A comma where some cells have one before their decimals, and none has a point."""
    cells = [cell.strip() for row in _split(lines, separator) for cell in row]
    has_points = any("." in cell and is_number(cell) for cell in cells)
    return "," if not has_points and any(map(has_decimal_comma, cells)) else "."


def _agreement(lines: list[str], separator: str) -> float:
    """The share of the rows that have as many cells as the first, or 0 if that is one."""
    widths = [len(row) for row in _split(lines, separator) if _is_filled(row)]
    return widths.count(widths[0]) / len(widths) if widths and widths[0] > 1 else 0.0


def _is_header(row: list[str], below: list[list[str]], label: str, header: bool | None) -> bool:
    """Some words, and no number but a column's own position (as data frames name columns).

    A first row of nothing but such numbers is a guess, and so is one that counts from 1, or by
    one step where the rows `below` are unlike it: they are warned of.
    """
    if header is not None:
        return header
    if not _counts(row) and not _is_unlike(row, below):
        words = [cell for cell in row if cell.strip() and not is_number(cell)]
        positions = all(cell.strip() == str(n) for n, cell in enumerate(row) if is_number(cell))
        return positions and bool(words) and not any(map(is_meant_as_number, words))
    taken = not row[0].strip() or (row[0].strip() == "0" and len(row) > 2)
    problem = f"the first row is {', '.join(row[:3])}{', ...' if len(row) > 3 else ''}, taken for "
    problem += "the names that a data frame gives its columns" if taken else "data, not for a header"
    warn(
        DataWarning(problem, at=f"{label}:1", remedy="say which under 'data': header: true or header: false")
    )
    return taken


def _counts(row: list[str]) -> bool:
    """Whether a row is 0, 1, 2, ... or 1, 2, 3, ..., behind a cell without a name where there is one."""
    cells = [cell.strip() for cell in row]
    named = cells[1:] if cells and not cells[0] else cells
    return len(named) > 1 and any(named == [str(first + n) for n in range(len(named))] for first in (0, 1))


def _is_unlike(row: list[str], below: list[list[str]]) -> bool:
    """Whether a row goes up by one step, as years do, and the rows below hold other numbers than whole ones,
    or go so nowhere, and not all of its numbers lie among theirs."""
    if not below or not _is_series(row):
        return False
    named = slice(0 if row[0].strip() else 1, None)
    rows = [other[named] for other in below if len(other) == len(row)]
    if not all(_is_whole(cell) for other in rows for cell in other):
        return True
    columns = zip(row[named], *rows, strict=True)
    is_among = all(min(map(float, c[1:])) <= float(c[0]) <= max(map(float, c[1:])) for c in columns if c[1:])
    return not is_among and not any(map(_is_series, below))


def _is_series(row: list[str]) -> bool:
    """Whether a row is of whole numbers that rise by one step; that of two numbers is 1."""
    named = row if not row or row[0].strip() else row[1:]
    if len(named) < 2 or not all(map(_is_whole, named)):
        return False
    steps = {float(after) - float(before) for before, after in pairwise(named)}
    return len(steps) == 1 and (steps == {1.0} if len(named) == 2 else min(steps) > 0)


def _is_whole(cell: str) -> bool:
    return is_number(cell) and float(cell).is_integer()


def _split(lines: Iterable[str], separator: str, *, strict: bool = False) -> Any:
    """A reader of the rows; runs of spaces separate once."""
    text = (line.strip() for line in lines) if separator == SPACES else lines
    return csv.reader(text, delimiter=separator, strict=strict, skipinitialspace=True)


def _is_filled(row: list[str]) -> bool:
    return len(row) > 1 or (len(row) == 1 and bool(row[0].strip()))
