"""Data frames of any library, through narwhals; Parquet and Feather files, through pyarrow, part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError, how_to_install
from symgrad.training.dataset.column import Column, column_of
from symgrad.training.dataset.exactness import to_float
from symgrad.training.dataset.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

PART = 1 << 16
"""So many rows of a file are read at a time."""
AGAIN = "check or fetch the file again"


def frame_source(frame: Any, label: str) -> Source:
    """The columns of a data frame that narwhals knows, such as pandas', polars' and pyarrow's.

    Raises DataError for two columns of one name, and for a frame that has not been computed.
    """
    import narwhals.stable.v1 as nw
    from narwhals.exceptions import NarwhalsError

    try:
        table = nw.from_native(frame, eager_only=True)
    except (TypeError, ValueError, NarwhalsError) as error:
        remedy = "give each column its own name, and collect() a lazy frame"
        raise DataError(f"cannot be used as a data frame: {error}", at=label, remedy=remedy) from error

    def parts(positions: Sequence[int], _words: Collection[int]) -> Iterator[list[Column]]:
        yield _columns(table, label, positions, 0)

    return Source(label, "column", tuple(map(str, table.columns)), parts)


def is_frame(data: Any) -> bool:
    """Whether narwhals takes something for a data frame, computed or not."""
    import narwhals.stable.v1 as nw
    from narwhals.exceptions import DuplicateError

    try:
        found = nw.from_native(data, pass_through=True, allow_series=False)
    except DuplicateError:
        return True
    return isinstance(found, nw.DataFrame | nw.LazyFrame)


def as_frame(series: Any, name: str) -> Any:
    """A series of a data frame's library as a frame of one column; None where it is no series."""
    import narwhals.stable.v1 as nw

    found = nw.from_native(series, pass_through=True, allow_series=True)
    return found.alias(name).to_frame().to_native() if isinstance(found, nw.Series) else None


def parquet_source(path: Path, label: str) -> Source:
    """The columns of a Parquet file. Raises DataError when pyarrow is not installed."""
    return _file_source(path, label, "Parquet", _parquet)


def feather_source(path: Path, label: str) -> Source:
    """The columns of a Feather or Arrow file. Raises DataError when pyarrow is not installed."""
    return _file_source(path, label, "Feather", _arrow)


def _file_source(
    path: Path, label: str, kind: str, opened: Callable[[Path, list[int] | None], Iterator[Any]]
) -> Source:
    """`opened(path, None)` gives an empty table of the columns, `opened(path, positions)` record batches."""
    names = tuple(map(str, next(_readable(path, label, kind, opened, None)).schema.names))

    def parts(positions: Sequence[int], _words: Collection[int]) -> Iterator[list[Column]]:
        import narwhals.stable.v1 as nw
        import pyarrow as pa

        chosen, rows = sorted(set(positions)), 0
        for batch in _readable(path, label, kind, opened, chosen):
            table = nw.from_native(pa.Table.from_batches([batch]), eager_only=True)
            yield _columns(table, label, [chosen.index(position) for position in positions], rows)
            rows += batch.num_rows

    return Source(label, "column", names, parts)


def _readable(
    path: Path,
    label: str,
    kind: str,
    opened: Callable[[Path, list[int] | None], Iterator[Any]],
    positions: list[int] | None,
) -> Iterator[Any]:
    """The batches of a file; whatever goes wrong while it is read becomes a DataError."""
    try:
        import pyarrow as pa
    except ImportError as error:
        remedy = f"save the data as CSV or NPZ, or {how_to_install('parquet')}"
        raise DataError(f"reading {kind} needs pyarrow", at=label, remedy=remedy) from error
    try:
        yield from opened(path, positions)
    # ValueError: names that are not UTF-8.
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"cannot be read as {kind}: {error}", at=label, remedy=AGAIN) from error


def _parquet(path: Path, positions: list[int] | None) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        if positions is None:
            yield file.schema_arrow.empty_table()
            return
        names = [file.schema_arrow.names[position] for position in positions]
        yield from file.iter_batches(batch_size=PART, columns=names)


def _arrow(path: Path, positions: list[int] | None) -> Iterator[Any]:
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        start = file.read(6)
        file.seek(0)
        if start == b"ARROW1":
            reader = pa.ipc.open_file(file)
            batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
            schema = reader.schema
        else:
            reader = pa.ipc.open_stream(file)
            batches, schema = iter(reader), reader.schema
        if positions is None:
            yield schema.empty_table()
            return
        for batch in batches:
            yield batch.select(positions)


def _columns(table: Any, label: str, positions: Sequence[int], above: int) -> list[Column]:
    names = table.columns
    return [
        _column(table.get_column(names[position]), label, str(names[position]), above)
        for position in positions
    ]


def _column(series: Any, label: str, name: str, above: int) -> Column:
    import narwhals.stable.v1 as nw

    def place(row: int, _: int) -> str:
        return f"{label}, row {above + row + 1}, column '{name}'"

    kind = series.dtype
    if kind.is_temporal():
        remedy = "write times as numbers, such as seconds"
        raise DataError(f"holds {kind}, not numbers", at=f"{label}, column '{name}'", remedy=remedy)
    if kind.is_nested() or kind in (nw.Binary, nw.Unknown):
        remedy = "give it columns of numbers or words"
        raise DataError(f"holds {kind}, not numbers", at=f"{label}, column '{name}'", remedy=remedy)
    if kind.is_integer() and not series.null_count():
        return Column(name, to_float(np.asarray(series.to_numpy()), np.float64, place), place)
    if kind.is_numeric():
        return Column(name, np.asarray(series.cast(nw.Float64).to_numpy(), np.float64), place)
    values = np.empty(len(series), object)
    values[:] = [
        None if is_null else value
        for value, is_null in zip(series.to_list(), series.is_null().to_list(), strict=True)
    ]
    return column_of(name, values, place)
