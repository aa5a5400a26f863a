"""Rows for a trained model, some at a time: read, filled and standardised as those in training were."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError, DataWarning, warn
from symgrad.training.dataset.data import Dataset, source_of, without_missing
from symgrad.training.dataset.feeding.apply_preparation import known_columns
from symgrad.training.dataset.feeding.missing_values import refuse_missing, whole_rows
from symgrad.training.dataset.feeding.tensor_of_columns import tensor_of
from symgrad.training.dataset.frames import is_frame
from symgrad.training.dataset.in_memory import is_table
from symgrad.training.dataset.windows.series_windows import has_windows, series_source
from symgrad.training.dataset.windows.text_windows import text_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import DTypeLike, NDArray

    from symgrad.training.dataset.column import Column
    from symgrad.training.dataset.data import Data
    from symgrad.training.dataset.preparation import Dialect, Preparation, TensorPreparation
    from symgrad.training.dataset.source import Source

UNFILLED = "fill in such values: the model was trained on rows without"


def read_inputs(
    preparation: Preparation, data: Data, dtype: DTypeLike, dialect: Dialect | None = None
) -> Iterator[tuple[NDArray[Any], ...]]:
    """The arrays of all inputs, some rows at a time, as the model takes them: only their columns are read.

    `data` are a file or in memory, a tuple of which holds the inputs; `dialect` is what is said of a CSV
    file, beyond what was said in training. A file larger than memory is read in parts; a series is not, and
    gives its last window too.

    Raises:
        DataError: a column is not there, a category was not there in training, a value is missing that
            nothing fills in, a cell is no number, or a number does not fit `dtype`; with its place.
    """
    source = _source(preparation, data, list(preparation.inputs), dialect, is_past=True)
    for part in known_columns(source, preparation.inputs):
        refuse_missing(_unfilled(preparation.inputs, part), UNFILLED)
        yield tuple(_arrays(preparation.inputs, part, dtype).values())


def read_whole_inputs(
    preparation: Preparation, data: Data, dtype: DTypeLike, dialect: Dialect | None = None
) -> Iterator[tuple[NDArray[np.bool_], tuple[NDArray[Any], ...]]]:
    """The same of the rows that miss no value, and which of the rows these are. Raises DataError."""
    source = _source(preparation, data, list(preparation.inputs), dialect, is_past=True)
    for part in known_columns(source, preparation.inputs):
        rows = len(next(iter(part.values()))[0].numbers)
        whole = without_missing("drop", preparation, part, source.label)
        kept = whole_rows([column for group in part.values() for column in group])
        is_whole = np.ones(rows, bool) if kept is None else np.isin(np.arange(rows), kept)
        yield is_whole, tuple(_arrays(preparation.inputs, whole, dtype).values())


def read_rows(
    preparation: Preparation,
    data: Data,
    dtype: DTypeLike,
    dialect: Dialect | None = None,
    *,
    drop: bool = False,
) -> Iterator[Dataset]:
    """Inputs and targets, some rows at a time; with `drop` whole rows alone.

    Raises DataError as `read_inputs` does, and for what is no class.
    """
    tensors = {**preparation.inputs, **preparation.targets}
    source = _source(preparation, data, list(tensors), dialect)
    for part in known_columns(source, tensors):
        whole = without_missing("drop", preparation, part, source.label) if drop else part
        before, after = (len(next(iter(columns.values()))[0].numbers) for columns in (part, whole))
        refuse_missing(_unfilled(tensors, whole), UNFILLED)
        inputs = _arrays(preparation.inputs, whole, dtype)
        targets = _arrays(preparation.targets, whole, dtype)
        yield Dataset(inputs, targets, source.label, preparation, before - after)


def _source(
    known: Preparation, data: Data, tensors: list[str], dialect: Dialect | None, *, is_past: bool = False
) -> Source:
    """The columns or arrays of data, of a text or a series as in training; `is_past`: see `series_source`."""
    windows = known.windows
    if windows is not None and windows.ahead is None and isinstance(data, str | os.PathLike):
        return text_source(Path(data), str(data), windows, is_past=is_past)
    source = source_of(data, tensors, dialect, known.dialect)
    if windows is None or windows.ahead is None or has_windows(source):
        return source
    return series_source(source, windows, is_past=is_past)


def warn_of_gaps(label: str, gaps: int, rows: int, treated: str) -> None:
    """Warn of rows that miss a value; raise a DataError where none is whole."""
    if gaps == rows:
        raise DataError("every row misses a value", at=label, remedy="fill in such values")
    if gaps:
        problem = f"{gaps:,} of {rows:,} rows miss a value and {treated}"
        warn(DataWarning(problem, at=label, remedy="'missing: drop' was said in training"))


def given_inputs(
    preparation: Preparation, names: Sequence[str], values: Sequence[Any], dtype: DTypeLike
) -> Sequence[Any]:
    """Inputs that a caller gives as they stand in the data, as the model takes them.

    One data frame or mapping may hold all inputs; a table of words is one, too. Raises DataError.
    """
    if len(values) == 1 and (_has_names(values[0]) or (len(names) > 1 and is_table(values[0]))):
        return _whole(read_inputs(preparation, values[0], dtype))
    if len(values) != len(names):
        problem = f"predict got {len(values)} arrays for {len(names)} inputs"
        raise DataError(problem, remedy=f"give {', '.join(names)}")
    known = preparation.inputs
    has_words = any(any(tensor.categories) or tensor.classes for tensor in known.values())
    if known and (has_words or any(map(is_table, values))):
        return _whole(read_inputs(preparation, tuple(values), dtype))
    return [preparation.input(name, value, dtype) for name, value in zip(names, values, strict=True)]


def _has_names(data: Any) -> bool:
    return isinstance(data, Mapping) or is_frame(data)


def _whole(parts: Iterator[tuple[NDArray[Any], ...]]) -> list[NDArray[Any]]:
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def _unfilled(tensors: Mapping[str, TensorPreparation], columns: Mapping[str, list[Column]]) -> list[Column]:
    return [column for name, group in columns.items() if tensors[name].fill is None for column in group]


def _arrays(
    tensors: Mapping[str, TensorPreparation], columns: Mapping[str, list[Column]], dtype: DTypeLike
) -> dict[str, NDArray[Any]]:
    arrays = {}
    for name, tensor in tensors.items():
        is_raw = tensor.fill is not None or tensor.mean is not None
        values = tensor_of(name, tensor, columns[name], np.float64 if is_raw else dtype)
        arrays[name] = tensor.finished(name, values, dtype)
    return arrays
