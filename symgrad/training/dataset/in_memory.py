"""Data in memory: a data frame, arrays by name, or inputs and targets in a tuple."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.dataset.array_files import array_source
from symgrad.training.dataset.frames import as_frame, frame_source, is_frame
from symgrad.training.dataset.source import Source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from symgrad.training.dataset.column import Column

KNOWN = "a file, a data frame, a mapping of names to arrays, or a tuple of arrays: inputs, then targets"


def memory_source(data: Any, tensors: Sequence[str], label: str = "data") -> Source:
    """The columns or arrays of data in memory.

    A mapping holds arrays by name, or columns where all have one axis; a tuple has one array, series or data
    frame for each of `tensors`, in their order. Raises DataError for anything else.
    """
    if is_frame(data):
        return frame_source(data, label)
    if isinstance(data, Mapping):
        return _by_name(
            {str(name): _array(values, f"{label}['{name}']") for name, values in data.items()}, label
        )
    if not isinstance(data, tuple):
        raise DataError(f"data of type {type(data).__name__}", at=label, remedy=f"expected {KNOWN}")
    if len(data) != len(tensors):
        problem = f"a tuple of {len(data)} for {', '.join(tensors)}"
        raise DataError(problem, at=label, remedy=f"give {len(tensors)} arrays or data frames in this order")
    return _in_order(dict(zip(tensors, data, strict=True)), label)


def is_table(data: Any) -> bool:
    """Whether something is a data frame or a series, or an array of words, of objects or with a mask."""
    if isinstance(data, np.ma.MaskedArray):
        return True
    if isinstance(data, list | tuple | int | float | np.generic):
        try:
            data = np.asarray(data)
        except ValueError:
            return False
    if isinstance(data, np.ndarray):
        return data.dtype.kind in "UTO"
    return is_frame(data) or as_frame(data, "") is not None


def _by_name(arrays: dict[str, NDArray[Any]], label: str) -> Source:
    remedy = "name the arrays like the tensors"
    if all(values.ndim == 1 for values in arrays.values()):
        return _beside([_columns(name, values, label) for name, values in arrays.items()], label, remedy)
    return array_source(arrays, label, remedy)


def _in_order(data: dict[str, Any], label: str) -> Source:
    """Arrays as they are; tables side by side where one of them is a table of words or a data frame."""
    frames = {n: d if is_frame(d) else as_frame(d, n) for n, d in data.items()}
    arrays = {n: _array(d, f"{label} for '{n}'") for n, d in data.items() if frames[n] is None}
    if len(arrays) == len(data) and not any(a.dtype.kind in "UTO" and a.ndim == 2 for a in arrays.values()):
        return array_source(arrays, label)
    tables = {
        n: frame_source(frames[n], label) if n not in arrays else _columns(n, arrays[n], label) for n in data
    }
    given = tuple((n, table.names) for n, table in tables.items())
    return _beside(list(tables.values()), label, "give each column its own name", given)


def _columns(name: str, values: NDArray[Any], label: str) -> Source:
    """A vector as a column of this name, a matrix as columns of this name and a number."""
    if values.ndim == 1:
        columns = {name: values}
    elif values.ndim == 2:
        columns = {f"{name}{entry + 1}": values[:, entry] for entry in range(values.shape[1])}
    else:
        remedy = "give arrays alone, or tables alone"
        raise DataError(f"an array of {values.ndim} axes for '{name}' beside tables", at=label, remedy=remedy)
    return array_source(columns, label)


def _beside(
    tables: list[Source], label: str, remedy: str, given: tuple[tuple[str, tuple[str, ...]], ...] = ()
) -> Source:
    """One table of all columns."""
    owners = [(table, position) for table in tables for position in range(len(table.names))]

    def parts(positions: Sequence[int], _words: Collection[int]) -> Iterator[list[Column]]:
        yield [table.read([own])[0] for table, own in (owners[position] for position in positions)]

    names = tuple(name for table in tables for name in table.names)
    return Source(label, "column", names, parts, remedy, given=given)


def _array(values: Any, at: str) -> NDArray[Any]:
    if isinstance(values, np.ma.MaskedArray):
        kind, hole = (np.float64, np.nan) if values.dtype.kind in "biuf" else (object, None)
        values = np.ma.filled(values.astype(kind), hole)
    try:
        found = np.asarray(values)
    except ValueError as error:
        raise DataError(f"is no array: {error}", at=at, remedy=f"expected {KNOWN}") from error
    if found.dtype.kind in "UT" and not isinstance(values, np.ndarray):
        found = np.asarray(values, dtype=object)  # NumPy writes numbers among words as words
    if found.ndim == 0:
        raise DataError("holds a single number, not rows", at=at, remedy="the first axis is the batch")
    return found
