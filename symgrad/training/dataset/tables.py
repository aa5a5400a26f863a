"""Tables: CSV through the standard library, Parquet through pyarrow (an optional extra)."""

from __future__ import annotations

import csv
import gzip
import sys
import zlib
from array import array
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from symgrad.errors import DataError
from symgrad.training.dataset.cells import is_number, not_a_number
from symgrad.training.dataset.csv_layout import CsvLayout, layout_of
from symgrad.training.dataset.exactness import to_float, warn_of_loss
from symgrad.training.dataset.source import Selection, Source, SourceNumbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


def csv_source(path: Path, label: str, header: bool | None = None) -> Source:
    """The columns of a CSV file (also .gz), laid out as `layout_of` finds it."""
    with _text(path, label) as text:
        layout = layout_of(text, label, header)

    def read(selections: Sequence[Selection]) -> list[SourceNumbers]:
        columns = sorted({column for selection in selections for column in selection})
        values, lines = _csv_values(path, layout, columns)
        return [_csv_block(layout, values, lines, columns, selection) for selection in selections]

    return Source(label, "column", layout.names, read, has_names=layout.has_names)


def _csv_block(
    layout: CsvLayout,
    values: NDArray[np.float64],
    lines: Sequence[int],
    columns: list[int],
    selection: Selection,
) -> SourceNumbers:
    def place(row: int, entry: int) -> str:
        return layout.place(lines[row], selection[entry])

    return SourceNumbers(values[:, [columns.index(column) for column in selection]], place)


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
        raise DataError(_other_kind(path), at=label, remedy="save it as CSV in UTF-8") from error
    except (csv.Error, OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"cannot be read as CSV: {error}", at=label, remedy="check or fetch the file again"
        ) from error


def _other_kind(path: Path) -> str:
    """What a file is that is not UTF-8 text, as its first bytes tell."""
    with path.open("rb") as file:
        start = file.read(4)
    kinds = {b"PK": "a ZIP or Excel file", b"\x1f\x8b": "compressed by gzip, which .csv.gz would say"}
    kinds |= {b"\xff\xfe": "UTF-16 text", b"\xfe\xff": "UTF-16 text", b"PAR1": "a Parquet file"}
    kind = next((kind for mark, kind in kinds.items() if start.startswith(mark)), "not UTF-8 text")
    return f"is {kind}"


def _csv_values(
    path: Path, layout: CsvLayout, columns: list[int]
) -> tuple[NDArray[np.float64], Sequence[int]]:
    """The chosen columns as [rows, columns], and the line of each row."""
    numbers, lines = array("d"), array("q")
    with _text(path, layout.label) as text:
        for line, row in layout.rows(text):
            _check_width(row, layout, line)
            chosen = [row[column] for column in columns]
            try:
                numbers.extend([float(cell) for cell in chosen])
            except ValueError:
                raise _bad_cell(row, columns, layout, line) from None
            # Python's float takes 1_000, which no CSV means as a number.
            if "_" in "".join(chosen):
                raise _bad_cell(row, columns, layout, line)
            lines.append(line)
    values = np.frombuffer(numbers, dtype=np.float64).reshape(len(lines), len(columns))
    if (np.abs(values) > 2.0**53 - 1).any():
        _warn_of_long_integers(path, layout, columns)
    return values, lines


def _warn_of_long_integers(path: Path, layout: CsvLayout, columns: list[int]) -> None:
    """Warn of the first integer with more digits than float64 holds."""
    with _text(path, layout.label) as text:
        for line, row in layout.rows(text):
            for column in columns:
                number = _integer(row[column].strip())
                if number is not None and number != float(number):
                    warn_of_loss(number, float(number), "float64", layout.place(line, column))
                    return


def _integer(cell: str) -> int | None:
    """The integer that a cell writes out in digits, where it is none that float64 takes for infinite."""
    digits = cell.lstrip("+-")
    within = digits.isdigit() and len(digits.lstrip("0")) < sys.float_info.max_10_exp
    return int(cell[: len(cell) - len(digits)] + (digits.lstrip("0") or "0")) if within else None


def _check_width(row: list[str], layout: CsvLayout, line: int) -> None:
    if len(row) != len(layout.names):
        first = "the header" if layout.has_header else "the first row"
        problem = f"this row has {len(row)} cells, {first} has {len(layout.names)}"
        at = f"{layout.label}:{line}"
        if len(row) < len(layout.names):
            at = layout.place(line, len(row))
        raise DataError(problem, at=at, remedy="every row needs the same number of cells")


def _bad_cell(row: list[str], columns: list[int], layout: CsvLayout, line: int) -> DataError:
    column = next(column for column in columns if not is_number(row[column]))
    problem, remedy = not_a_number(row[column])
    return DataError(problem, at=layout.place(line, column), remedy=remedy)


def parquet_source(path: Path, label: str) -> Source:
    """The columns of a Parquet file. Raises DataError when pyarrow is not installed."""
    table, names = _parquet_table(path, label)

    def read(selections: Sequence[Selection]) -> list[SourceNumbers]:
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


def _parquet_block(table: Any, label: str, selection: Selection) -> SourceNumbers:
    names = [table.column_names[column] for column in selection]

    def place(row: int, entry: int) -> str:
        return f"{label}, row {row + 1}, column '{names[entry]}'"

    return SourceNumbers(
        np.column_stack([_parquet_column(table, label, column) for column in selection]), place
    )


def _parquet_column(table: Any, label: str, column: int) -> NDArray[Any]:
    """One column as float64; a missing value becomes NaN, which is refused later with its place."""
    import pyarrow as pa

    values, kind = table.column(column), table.schema.field(column).type
    name = f"column '{table.column_names[column]}'"
    is_real = pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind)
    if not (pa.types.is_integer(kind) or is_real):
        is_time = pa.types.is_temporal(kind)
        remedy = "write times as numbers, such as seconds" if is_time else "code words as numbers"
        raise DataError(f"holds {kind}, not numbers", at=f"{label}, {name}", remedy=remedy)
    if pa.types.is_integer(kind) and not values.null_count:
        whole = np.asarray(values.to_numpy())
        return to_float(whole, np.float64, lambda row, _: f"{label}, row {row + 1}, {name}")
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy())
