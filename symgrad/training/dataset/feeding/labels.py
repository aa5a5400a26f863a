"""Labels: from what the data call a class to its number, and back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import DataError
from symgrad.training.dataset.cells import is_number
from symgrad.training.dataset.feeding.misfits import check_shape, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from symgrad.spec.model import Word
    from symgrad.training.dataset.column import Column
    from symgrad.training.dataset.preparation import TensorPreparation

NOT_ONE_HOT = ("is neither 0 nor 1", "one column per class holds a 1 at the class of the row and 0 elsewhere")
UNKNOWN = -2
"""The code of a cell that is none of the words."""


def labels_of(name: str, preparation: TensorPreparation, columns: Sequence[Column]) -> NDArray[np.int64]:
    """The labels [rows, *shape] in columns or an array of classes, or of one-hot rows.

    Raises DataError for a shape that does not fit and for what is no class.
    """
    entries = sum(math.prod(column.numbers.shape[1:]) for column in columns)
    if entries == preparation.size * preparation.count:
        return _of_one_hot(name, preparation, columns)
    if len(columns) == 1:
        check_shape(name, columns[0], preparation)
    found = [_labels(name, preparation, column) for column in columns]
    labels = found[0] if len(found) == 1 else np.stack(found, axis=1)
    return np.ascontiguousarray(labels.reshape(len(labels), *preparation.shape))


def _of_one_hot(name: str, preparation: TensorPreparation, columns: Sequence[Column]) -> NDArray[np.int64]:
    """The place of the one in each row of zeros."""
    rows = len(columns[0].numbers)
    numbers = [coded(c, (False, True)) if c.codes is not None else c.numbers for c in columns]
    for column, values in zip(columns, numbers, strict=True):
        refuse(name, column, ~np.isin(values, (0, 1)), *NOT_ONE_HOT)
    blocks = [values.reshape(rows, -1) for values in numbers]
    ones = np.concatenate(blocks, axis=1).reshape(rows, preparation.size, preparation.count)
    bad = (ones.sum(axis=2) != 1).any(axis=1)
    if bad.any():
        row = int(bad.argmax())
        problem = f"this row has no single 1 among its {preparation.count} classes (for '{name}')"
        raise DataError(problem, at=columns[0].place(row, 0), remedy=NOT_ONE_HOT[1])
    return np.asarray(ones.argmax(axis=2), np.int64).reshape(rows, *preparation.shape)


def _labels(name: str, preparation: TensorPreparation, column: Column) -> NDArray[np.int64]:
    count, ignore = preparation.count, preparation.ignore
    counts = np.ones(column.numbers.shape, bool) if ignore is None else column.numbers != ignore
    if preparation.classes:
        expected = f"the classes are {shown_words(preparation.classes)}"
        labels = coded(column, preparation.classes, by_number=True)
        unknown = labels == UNKNOWN
    else:
        expected = f"labels are whole numbers from 0 to {count - 1}"
        if column.codes is not None:
            refuse(name, column, column.codes >= 0, "is no class", expected)
        values = column.numbers
        refuse(name, column, counts & (values != np.floor(values)), "is not a whole number", expected)
        unknown = (values < 0) | (values >= count)
        labels = values.astype(np.int64)
    expected += f", or {ignore} for none" if ignore is not None else ""
    refuse(name, column, counts & unknown, "is no class", expected)
    return labels if ignore is None else np.where(counts, labels, ignore)


def shown_words(words: tuple[Word, ...]) -> str:
    """Some words for people: all of them, or the first ones and how many there are."""
    shown = ", ".join(map(str, words[:8]))
    return f"{shown}, ... ({len(words)} in all)" if len(words) > 8 else shown


def coded(column: Column, words: tuple[Word, ...], *, by_number: bool = False) -> NDArray[np.int64]:
    """Which of the words each cell of a column is: -1 for a missing value, UNKNOWN for none of them.

    With `by_number` a whole number below their count says which of the words is meant, where none of them is
    a number.
    """
    index = {_key(word): code for code, word in enumerate(words)}
    by_number = by_number and not any(is_number(str(word)) for word in words)
    if by_number:
        index |= {_key(code): code for code in range(len(words)) if _key(code) not in index}
    numbers, places = np.unique(column.numbers, return_inverse=True)
    codes = [-1 if np.isnan(number) else index.get(_key(number), UNKNOWN) for number in numbers.tolist()]
    found = np.array(codes, np.int64)[places.reshape(column.numbers.shape)]
    if column.codes is None:
        return found
    codes = [_code(index, word, by_number) for word in column.words]
    return np.where(column.codes < 0, found, np.array([*codes, -1], np.int64)[column.codes])


def _key(word: Word) -> Word:
    """Numbers are the same word whatever their type; a truth is also 0 or 1."""
    return word if isinstance(word, str) else float(word)


def _code(index: dict[Word, int], word: Word, by_number: bool) -> int:
    if isinstance(word, str) and by_number and is_number(word) and word not in index:
        return index.get(float(word), UNKNOWN)
    return index.get(_key(word), UNKNOWN)
