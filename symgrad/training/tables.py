"""Tables: CSV through the standard library, Parquet through pyarrow (an optional extra)."""

from __future__ import annotations

import csv
import gzip
import zlib
from array import array
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from symgrad.errors import DataError
from symgrad.training.source import Block, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from symgrad.training.source import Selection

DELIMITERS = ",;\t"


@dataclass(frozen=True)
class CsvLayout:
    """How a CSV file is written; `names` of a file without a header are "1", "2", ..."""

    label: str
    delimiter: str
    names: tuple[str, ...]
    has_header: bool

    def place(self, line: int, column: int) -> str:
        """A cell for people: `digits.csv:17, column 'p4'`; lines count from 1."""
        return f"{self.label}:{line}, column '{self.names[column]}'"


def csv_source(path: Path, label: str) -> Source:
    """The columns of a CSV file (also .gz); a first line that is not numbers is the header."""
    layout = _layout(path, label)

    def read(selections: Sequence[Selection]) -> list[Block]:
        columns = sorted({column for selection in selections for column in selection})
        values, lines = _csv_values(path, layout, columns)
        return [_csv_block(layout, values, lines, columns, selection) for selection in selections]

    return Source(label, "column", layout.names, read)


def _csv_block(
    layout: CsvLayout,
    values: NDArray[np.float64],
    lines: Sequence[int],
    columns: list[int],
    selection: Selection,
) -> Block:
    def place(row: int, entry: int) -> str:
        return layout.place(lines[row], selection[entry])

    return Block(values[:, [columns.index(column) for column in selection]], place)


@contextmanager
def _text(path: Path, label: str) -> Iterator[TextIO]:
    """The file as text; whatever goes wrong while it is read becomes a DataError."""
    try:
        if path.suffix.lower() == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as text:
                yield text
        else:
            with path.open(encoding="utf-8-sig", newline="") as text:
                yield text
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8 text", at=label, remedy="save it as CSV in UTF-8") from error
    except (csv.Error, OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"cannot be read as CSV: {error}", at=label, remedy="check or fetch the file again"
        ) from error


def _layout(path: Path, label: str) -> CsvLayout:
    with _text(path, label) as text:
        delimiter = max(DELIMITERS, key=next((line for line in text if line.strip()), "").count)
        text.seek(0)
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        row = next((row for row in rows if _is_filled(row)), None)
    if row is None:
        raise DataError("the file is empty", at=label, remedy="give it one line per row")
    if _is_header(row):
        return CsvLayout(label, delimiter, tuple(cell.strip() for cell in row), True)
    return CsvLayout(label, delimiter, tuple(str(position) for position, _ in enumerate(row, 1)), False)


def _is_filled(row: list[str]) -> bool:
    return len(row) > 1 or (len(row) == 1 and bool(row[0].strip()))


def _is_header(row: list[str]) -> bool:
    """Some words, and no number but a column's own position (as data frames name columns)."""
    words = [cell for cell in row if cell.strip() and not _is_number(cell)]
    numbers_are_positions = all(
        cell.strip() == str(position) for position, cell in enumerate(row) if _is_number(cell)
    )
    return bool(words) and numbers_are_positions


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _csv_values(
    path: Path, layout: CsvLayout, columns: list[int]
) -> tuple[NDArray[np.float64], Sequence[int]]:
    """The chosen columns as [rows, columns], and the line of each row."""
    numbers, lines = array("d"), array("q")
    with _text(path, layout.label) as text:
        reader = csv.reader(text, delimiter=layout.delimiter, strict=True)
        rows = (row for row in reader if _is_filled(row))
        if layout.has_header:
            next(rows)
        for row in rows:
            _check_width(row, layout, reader.line_num)
            chosen = [row[column] for column in columns]
            try:
                numbers.extend([float(cell) for cell in chosen])
            except ValueError:
                raise _bad_cell(row, columns, layout, reader.line_num) from None
            # Python's float takes 1_000, which no CSV means as a number.
            if "_" in "".join(chosen):
                raise _bad_cell(row, columns, layout, reader.line_num)
            lines.append(reader.line_num)
    return np.frombuffer(numbers, dtype=np.float64).reshape(len(lines), len(columns)), lines


def _check_width(row: list[str], layout: CsvLayout, line: int) -> None:
    if len(row) != len(layout.names):
        first = "the header" if layout.has_header else "the first row"
        problem = f"this row has {len(row)} cells, {first} has {len(layout.names)}"
        at = f"{layout.label}:{line}"
        if len(row) < len(layout.names):
            at = layout.place(line, len(row))
        raise DataError(problem, at=at, remedy="every row needs the same number of cells")


def _bad_cell(row: list[str], columns: list[int], layout: CsvLayout, line: int) -> DataError:
    column = next(column for column in columns if not _is_number(row[column]))
    text = row[column].strip()
    problem = f"{text[:40]!r} is not a number" if text else "the cell is empty"
    remedy = "code words as numbers" if text else "fill in or leave out rows with missing values"
    return DataError(problem, at=layout.place(line, column), remedy=remedy)


def parquet_source(path: Path, label: str) -> Source:
    """The columns of a Parquet file. Raises DataError when pyarrow is not installed."""
    table, names = _parquet_table(path, label)

    def read(selections: Sequence[Selection]) -> list[Block]:
        return [_parquet_block(table, label, selection) for selection in selections]

    return Source(label, "column", names, read)


def _parquet_table(path: Path, label: str) -> tuple[Any, tuple[str, ...]]:
    """The table and the names of its columns."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        remedy = "pip install 'symgrad[parquet]', or save the data as CSV or NPZ"
        raise DataError("reading Parquet needs pyarrow", at=label, remedy=remedy) from error
    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
            return table, tuple(table.column_names)
    # ValueError: names that are not UTF-8.
    except (pa.ArrowException, OSError, ValueError) as error:
        remedy = "check or fetch the file again"
        raise DataError(f"cannot be read as Parquet: {error}", at=label, remedy=remedy) from error


def _parquet_block(table: Any, label: str, selection: Selection) -> Block:
    names = [table.column_names[column] for column in selection]

    def place(row: int, entry: int) -> str:
        return f"{label}, row {row + 1}, column '{names[entry]}'"

    return Block(np.column_stack([_parquet_column(table, label, column) for column in selection]), place)


def _parquet_column(table: Any, label: str, column: int) -> NDArray[Any]:
    """One column as float64; a missing value becomes NaN, which is refused later with its place."""
    import pyarrow as pa

    values, kind = table.column(column), table.schema.field(column).type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        at = f"{label}, column '{table.column_names[column]}'"
        raise DataError(f"holds {kind}, not numbers", at=at, remedy="code words as numbers")
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy())
