"""CSV files, plain or compressed, through the standard library, some rows at a time."""

from __future__ import annotations

import bz2
import csv
import gzip
import lzma
import re
import sys
import zlib
from array import array
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, TextIO, cast

import numpy as np

from symgrad.errors import DataError
from symgrad.training.dataset.cells import is_number
from symgrad.training.dataset.column import Column
from symgrad.training.dataset.csv.csv_layout import SPACES, CsvLayout, layout_of
from symgrad.training.dataset.csv.plain_csv import plain_columns
from symgrad.training.dataset.exactness import warn_of_loss, warn_of_zero
from symgrad.training.dataset.preparation import Dialect
from symgrad.training.dataset.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

PART = 1 << 14
"""So many rows are read at a time."""
_SHORTEST_TINY = len("1e-324")
OPENERS: dict[str, Callable[..., IO[str]]] = {
    ".gz": cast("Callable[..., IO[str]]", gzip.open),
    ".bz2": cast("Callable[..., IO[str]]", bz2.open),
    ".xz": cast("Callable[..., IO[str]]", lzma.open),
}


def csv_source(path: Path, label: str, dialect: Dialect | None = None) -> Source:
    """The columns of a CSV file (also .gz, .bz2 and .xz), laid out as `layout_of` finds it."""
    dialect = dialect or Dialect()
    with _text(path, label) as text:
        layout = layout_of(text, label, dialect)

    def parts(positions: Sequence[int], words: Collection[int]) -> Iterator[list[Column]]:
        with _text(path, label) as text:
            above, texts = layout.start(text), set(words)
            while lines := list(islice(text, PART)):
                columns = _plain(lines, layout, positions, words, texts, above)
                count = len(lines)
                if columns is None:
                    rows, count = layout.rows(chain(lines, text), count, above)
                    columns = _columns(rows, layout, positions, words) if rows else []
                if columns:
                    yield columns
                    texts |= {p for p, column in zip(positions, columns, strict=True) if column.words}
                above += count

    return Source(label, "column", layout.names, parts, has_names=layout.has_names, dialect=dialect)


@contextmanager
def _text(path: Path, label: str) -> Iterator[TextIO]:
    """The file as text; whatever goes wrong while it is read becomes a DataError."""
    opener = OPENERS.get(path.suffix.lower(), open)
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as text:
            yield cast("TextIO", text)
    except UnicodeDecodeError as error:
        raise DataError(_other_kind(path), at=label, remedy="save it as CSV in UTF-8") from error
    except (csv.Error, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(
            f"cannot be read as CSV: {error}", at=label, remedy="check or fetch the file again"
        ) from error


def _other_kind(path: Path) -> str:
    """What a file is that is not UTF-8 text, as its first bytes tell."""
    with path.open("rb") as file:
        start = file.read(4)
    kinds = {b"PK": "a ZIP or Excel file", b"\x1f\x8b": "compressed by gzip, which .csv.gz would say"}
    kinds |= {b"\xff\xfe": "UTF-16 text", b"\xfe\xff": "UTF-16 text", b"PAR1": "a Parquet file"}
    kinds |= {
        b"BZh": "compressed by bzip2, which .csv.bz2 would say",
        b"\xfd7zX": "compressed by xz (.csv.xz)",
    }
    kind = next((kind for mark, kind in kinds.items() if start.startswith(mark)), "not UTF-8 text")
    return f"is {kind}"


def _plain(
    lines: list[str],
    layout: CsvLayout,
    positions: Sequence[int],
    words: Collection[int],
    texts: Collection[int],
    above: int,
) -> list[Column] | None:
    """The columns of many lines where pyarrow reads them; those in `texts` have had words. Else None."""
    if len(lines) < PART or layout.separator == SPACES:
        return None
    numbers = [position for position in positions if position not in texts]
    found = plain_columns(lines, layout, numbers, [p for p in positions if p in texts])
    if found is None:
        return None
    numbered = range(above + 1, above + 1 + len(lines))
    return [_column(found[p], layout, numbered, p, p in words) for p in positions]


def _columns(
    rows: list[tuple[int, list[str]]], layout: CsvLayout, positions: Sequence[int], words: Collection[int]
) -> list[Column]:
    """The chosen columns of some rows, each row with its line."""
    lines = array("q", [line for line, _ in rows])
    try:
        cells = list(zip(*(row for _, row in rows), strict=True))
    except ValueError:
        cells = []
    if len(cells) != len(layout.names):
        raise _wrong_width(rows, layout)
    return [_column(cells[position], layout, lines, position, position in words) for position in positions]


def _column(
    cells: tuple[str, ...] | NDArray[np.float64],
    layout: CsvLayout,
    lines: Sequence[int],
    position: int,
    as_words: bool,
) -> Column:
    """The column of these cells, or of numbers, of which it is known that they are."""

    def place(row: int, _: int) -> str:
        return layout.place(lines[row], position)

    name = layout.names[position]
    if isinstance(cells, np.ndarray):
        return Column(name, cells, place)
    numbers = np.full(len(cells), np.nan)
    if as_words:
        return _with_words(Column(name, numbers, place), cells, range(len(cells)))
    written = [_with_point(cell) for cell in cells] if layout.decimal == "," else cells
    found = _all_numbers(written)
    if found is not None:
        _warn_of_loss(cells, found, place)
        return Column(name, found, place)
    others = []
    for row, cell in enumerate(written):
        if is_number(cell):
            numbers[row] = float(cell)
        else:
            others.append(row)
    _warn_of_loss(cells, numbers, place)
    return _with_words(Column(name, numbers, place), cells, others)


def _all_numbers(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """The cells as numbers; None where one is none."""
    # Python's float takes 1_000, which no CSV means as a number.
    if "_" in "".join(cells):
        return None
    try:
        return np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None


def _with_point(cell: str) -> str:
    """A number with a decimal comma, as one with a point; a point is none of its marks."""
    return cell.replace(",", ".") if "." not in cell else f"'{cell}"


def _with_words(column: Column, cells: Sequence[str], rows: Sequence[int]) -> Column:
    """The column with the cells of these rows as words."""
    words: dict[str, int] = {}
    codes = np.full(len(cells), -1, np.int32)
    codes[rows] = [words.setdefault(cells[row].strip(), len(words)) for row in rows]
    return replace(column, codes=codes, words=tuple(words))


def _warn_of_loss(
    cells: Sequence[str], numbers: NDArray[np.float64], place: Callable[[int, int], str]
) -> None:
    """Warn of the first integer with more digits than float64 holds, and of the first tiny number that it
    takes for 0."""
    for row in np.flatnonzero(numbers == 0).tolist():
        if len(cells[row]) >= _SHORTEST_TINY and re.search("[1-9]", re.split("[eE]", cells[row])[0]):
            warn_of_zero(cells[row].strip()[:40], "float64", place(row, 0))
            break
    for row in np.flatnonzero(np.abs(numbers) > 2.0**53 - 1).tolist():
        number = _integer(cells[row].strip())
        if number is not None and number != float(number):
            warn_of_loss(number, float(number), "float64", place(row, 0))
            return


def _integer(cell: str) -> int | None:
    """The integer that a cell writes out in digits, where it is none that float64 takes for infinite."""
    digits = cell.lstrip("+-")
    within = digits.isdigit() and len(digits.lstrip("0")) < sys.float_info.max_10_exp
    return int(cell[: len(cell) - len(digits)] + (digits.lstrip("0") or "0")) if within else None


def _wrong_width(rows: list[tuple[int, list[str]]], layout: CsvLayout) -> DataError:
    line, row = next((line, row) for line, row in rows if len(row) != len(layout.names))
    first = "the header" if layout.has_header else "the first row"
    problem = f"this row has {len(row)} cells, {first} has {len(layout.names)}"
    is_short = len(row) < len(layout.names)
    at = layout.place(line, len(row)) if is_short else f"{layout.label}:{line}"
    return DataError(problem, at=at, remedy="every row needs the same number of cells")
