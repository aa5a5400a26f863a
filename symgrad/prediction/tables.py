"""Tables written part by part: CSV, Parquet, JSON and lines of JSON, whole or not at all."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from symgrad.errors import DataError, ModuleError, how_to_install
from symgrad.files import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from symgrad.prediction.predictions import Columns


class TableWriter(Protocol):
    """Takes parts of a table, then its end."""

    def add(self, columns: Columns) -> None: ...
    def end(self) -> None: ...


class CsvTable:
    """A header, then a line for each row; numbers have as many digits as tell them apart."""

    def __init__(self, file: IO[str]) -> None:
        self.writer, self.has_header = csv.writer(file, lineterminator="\n"), False

    def add(self, columns: Columns) -> None:
        if not self.has_header:
            self.writer.writerow(columns)
            self.has_header = True
        texts = [_texts(column) for column in columns.values()]
        self.writer.writerows(zip(*texts, strict=True))

    def end(self) -> None:
        """Nothing more."""


class JsonLines:
    """An object for each row, by the names of its columns; what is no finite number is null."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file

    def add(self, columns: Columns) -> None:
        for row in zip(*map(_plain, columns.values()), strict=True):
            self.file.write(json.dumps(dict(zip(columns, row, strict=True)), allow_nan=False) + "\n")

    def end(self) -> None:
        """Nothing more."""


class JsonTable:
    """An array of such objects."""

    def __init__(self, file: IO[str]) -> None:
        self.file, self.separator = file, "[\n"

    def add(self, columns: Columns) -> None:
        for row in zip(*map(_plain, columns.values()), strict=True):
            record = json.dumps(dict(zip(columns, row, strict=True)), allow_nan=False)
            self.file.write(f"{self.separator}{record}")
            self.separator = ",\n"

    def end(self) -> None:
        self.file.write("\n]\n" if self.separator == ",\n" else "[]\n")


class ParquetTable:
    """A row group for each part."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ModuleNotFoundError:
            raise ModuleError("pyarrow is missing", remedy=how_to_install("parquet")) from None
        self.path, self.arrow, self.parquet = path, pa, pq
        self.writer: Any = None

    def add(self, columns: Columns) -> None:
        table = self.arrow.table({name: self._array(column) for name, column in columns.items()})
        if self.writer is None:
            self.writer = self.parquet.ParquetWriter(self.path, table.schema)
        self.writer.write_table(table)

    def _array(self, column: Any) -> Any:
        """Of Arrow; null where there is no answer."""
        if not isinstance(column, np.ma.MaskedArray):
            return self.arrow.array(_plain_if_words(column))
        is_text = column.dtype.kind == "U"
        values = column.data.astype(object) if is_text else column.data
        return self.arrow.array(
            values, self.arrow.string() if is_text else None, mask=np.ma.getmaskarray(column)
        )

    def end(self) -> None:
        if self.writer is not None:
            self.writer.close()


_TEXTS: dict[str, Callable[[IO[str]], TableWriter]] = {
    ".csv": CsvTable,
    ".json": JsonTable,
    ".jsonl": JsonLines,
}
ENDINGS = (*_TEXTS, ".parquet")


def write_table(path: Path, parts: Iterable[Columns]) -> int:
    """Write a table into a file whose ending says how; the number of its rows.

    An earlier file is replaced whole or not at all, once all parts are there.

    Raises:
        DataError: the ending says nothing, or the file cannot be written.
        ModuleError: Parquet needs pyarrow, and that is missing.
    """
    if path.suffix not in ENDINGS:
        raise DataError("tables end in " + ", ".join(ENDINGS), at=str(path), remedy="name it so")
    with replacing(path) as temporary:
        if path.suffix == ".parquet":
            return _added(ParquetTable(temporary), parts)
        with temporary.open("w", encoding="utf-8", newline="") as file:
            return _added(_TEXTS[path.suffix](file), parts)


def write_text(file: IO[str], parts: Iterable[Columns], ending: str) -> int:
    """Write a table to an open file of text as it comes; the number of its rows."""
    return _added(_TEXTS[ending](file), parts)


def _added(table: TableWriter, parts: Iterable[Columns]) -> int:
    rows = 0
    for columns in parts:
        table.add(columns)
        rows += len(next(iter(columns.values())))
    table.end()
    return rows


def _texts(column: Any) -> Any:
    """As texts, empty where there is no answer."""
    if isinstance(column, np.ma.MaskedArray):
        return np.where(np.ma.getmaskarray(column), "", column.data.astype(str))
    return column.astype(str)


def _plain(column: Any) -> list[Any]:
    """Python's own numbers and texts, null for what is no finite number, or no answer."""
    if isinstance(column, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(column)
        return [None if empty else value for value, empty in zip(_plain(column.data), mask, strict=True)]
    if column.dtype.kind != "f":
        found: list[Any] = column.tolist()
        return found
    return [
        float(text) if ok else None for text, ok in zip(column.astype(str), np.isfinite(column), strict=True)
    ]


def _plain_if_words(column: Any) -> Any:
    return column.tolist() if column.dtype.kind in "UO" else np.ascontiguousarray(column)
