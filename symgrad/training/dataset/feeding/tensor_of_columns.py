"""From columns of numbers or words to a tensor: one-hot entries, labels, shape, finiteness, dtype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.dataset.exactness import to_float
from symgrad.training.dataset.feeding.labels import UNKNOWN, coded, labels_of, shown_words
from symgrad.training.dataset.feeding.misfits import check_shape, refuse, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

    from symgrad.spec.model import Word
    from symgrad.training.dataset.column import Column
    from symgrad.training.dataset.preparation import TensorPreparation


def tensor_of(
    name: str, preparation: TensorPreparation, columns: Sequence[Column], dtype: DTypeLike
) -> NDArray[Any]:
    """The columns as a contiguous tensor [rows, *shape]: int64 labels where there are classes, else `dtype`.

    The columns are of numbers or of words alone; NaN, for a missing value, stays. Raises DataError for a
    shape that does not fit, for infinity, for words that are no category and for what is no label.
    """
    if preparation.count:
        return labels_of(name, preparation, columns)
    if len(columns) == 1 and not any(preparation.categories):
        check_shape(name, columns[0], preparation)
        values = _floats(name, _numbers(name, columns[0]), dtype)
        return np.ascontiguousarray(values.reshape(len(values), *preparation.shape))
    rows, plain = len(columns[0].numbers), not any(preparation.categories)
    categories = ((),) * len(columns) if plain else preparation.categories
    widths = (1,) * len(columns) if plain else preparation.widths
    tensor, start = np.empty((rows, preparation.size), dtype), 0
    for column, words, width in zip(columns, categories, widths, strict=True):
        if words:
            tensor[:, start : start + width] = _one_hot(name, column, words, width, preparation)
        else:
            tensor[:, start] = _floats(name, _numbers(name, column), dtype).ravel()
        start += width
    return tensor.reshape(rows, *preparation.shape)


def _numbers(name: str, column: Column) -> Column:
    if column.codes is None:
        return column
    row, entry = column.first(column.codes >= 0)
    problem = f"{shown(column.cell(row, entry))} is not a number (for '{name}')"
    raise DataError(problem, at=column.place(row, entry), remedy="in training, the column held numbers")


def _one_hot(
    name: str, column: Column, words: tuple[Word, ...], width: int, preparation: TensorPreparation
) -> NDArray[np.float64]:
    """Rows with a one at the category, or its number where it has one entry; NaN where it is missing.

    What is no category is zeros where that is ignored, but not in one entry, where 0 is one of two words.
    """
    codes = coded(column, words, by_number=bool(preparation.classes))
    unknown = codes == UNKNOWN
    is_ignored = preparation.unseen == "ignore" and width == len(words)
    if unknown.any() and not is_ignored:
        row, entry = column.first(unknown)
        problem = f"{shown(column.cell(row, entry))} is no category of '{column.name}' (for '{name}')"
        remedy = f"those in training were {shown_words(words)}"
        if width == len(words):
            remedy += "; 'unseen: ignore' under 'train' makes such cells none of them"
        raise DataError(problem, at=column.place(row, entry), remedy=remedy)
    codes = codes.ravel()
    table = np.eye(len(words)) if width == len(words) else np.arange(len(words), dtype=np.float64)[:, None]
    return np.vstack([table, np.zeros(width), np.full(width, np.nan)])[codes]


def _floats(name: str, column: Column, dtype: DTypeLike) -> NDArray[np.floating[Any]]:
    infinite = np.isinf(column.numbers)
    refuse(name, column, infinite, "is not a finite number", "leave out or fill such rows")
    cast = to_float(column.numbers, dtype, column.place, name)
    problem = f"does not fit {np.dtype(dtype)}"
    refuse(name, column, np.isinf(cast), problem, "scale the column, or use dtype: float64")
    return cast
