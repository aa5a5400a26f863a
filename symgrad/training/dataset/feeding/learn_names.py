"""What is learnt about the columns of a tensor: names of classes and categories."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import DataError
from symgrad.training.dataset.feeding.words_or_numbers import of_labels, of_one_kind, of_words
from symgrad.training.dataset.preparation import TensorPreparation

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from symgrad.spec.model import Word
    from symgrad.training.dataset.column import Column
    from symgrad.training.dataset.feeding.slots import Slot


def kinds_of(columns: Sequence[Column], listed: Collection[str]) -> list[Column]:
    """The columns as numbers or words; those in `listed` as words. Raises DataError."""
    return [of_words(column) if column.name in listed else of_one_kind(column) for column in columns]


def learnt(
    slot: Slot, columns: Sequence[Column], listed: Collection[str], at: str
) -> tuple[TensorPreparation, list[Column]]:
    """How these columns feed the tensor, and they as numbers or words alone.

    The names of classes and categories are sorted, numbers by size. Raises DataError for columns that mix
    both, for more or fewer classes than the spec says, and for categories of another width than the tensor's.
    """
    names = tuple(column.name for column in columns)
    entries = sum(math.prod(column.numbers.shape[1:]) for column in columns)
    if slot.classes and entries == slot.size * slot.classes:
        found = slot.class_names or (names if len(names) == slot.classes else ())
        return TensorPreparation(
            slot.shape, names, ((),) * len(names), slot.classes, found, slot.ignore
        ), kinds_of(columns, ())
    is_label = slot.classes or (not slot.is_input and entries == 1 < slot.size)
    if not is_label:
        typed = kinds_of(columns, listed)
        categories = tuple(() if column.codes is None else column.words for column in typed)
        if len(categories) == 1 and not slot.is_input:
            names_of = TensorPreparation(slot.shape, names, categories, classes=categories[0])
            return _fitting(slot, names_of, columns, at), typed
        return _fitting(slot, TensorPreparation(slot.shape, names, categories), columns, at), typed
    typed = [of_labels(column, column.name in listed) for column in columns]
    classes = class_names(slot, typed, at)
    if not slot.classes:
        numbers = tuple(range(slot.size))
        return TensorPreparation(slot.shape, names, (classes or numbers,), classes=classes), typed
    empty = ((),) * len(names)
    return TensorPreparation(slot.shape, names, empty, slot.classes, classes, slot.ignore), typed


def _fitting(slot: Slot, found: TensorPreparation, columns: Sequence[Column], at: str) -> TensorPreparation:
    if any(found.categories) and any(math.prod(column.numbers.shape[1:]) > 1 for column in columns):
        problem = f"an array of words in several columns for '{slot.name}'"
        raise DataError(problem, at=at, remedy="give it a table, a column each")
    wide = {n: w for n, w in zip(found.columns, found.widths, strict=True) if w > 1}
    is_table = all(column.numbers.ndim == 1 for column in columns)
    if is_table and sum(found.widths) != slot.size:
        words = ", ".join(f"{name} ({width})" for name, width in wide.items())
        columns_taken = f"{slot.size} column{'' if slot.size == 1 else 's'}"
        problem = f"'{slot.name}' takes {columns_taken}, it has {sum(found.widths)}"
        problem += f" after one-hot of {words}" if wide else ""
        axes = ", ".join(map(str, ("batch", sum(found.widths))))
        raise DataError(problem, at=at, remedy=f"write {slot.name}: [{axes}], or give it other columns")
    return found


def class_names(slot: Slot, columns: Sequence[Column], at: str) -> tuple[Word, ...]:
    """What the classes are called; empty where by their numbers."""
    count = slot.classes or slot.size
    if slot.class_names:
        return slot.class_names
    if any(column.codes is not None for column in columns):
        words = sorted({word for column in columns for word in column.words}, key=_in_order)
        if len(words) == count:
            return tuple(words)
        shown = ", ".join(map(str, words[:8])) + (", ..." if len(words) > 8 else "")
        problem = f"'{slot.name}' has {count} classes, the data {len(words)} ({shown})"
        if not slot.classes:
            raise DataError(
                problem, at=at, remedy=f"give it an entry for each: {slot.name}: [batch, {len(words)}]"
            )
        remedy = f"write classes: {len(words)}, or list" if len(words) > 1 else "list"
        raise DataError(problem, at=at, remedy=f"{remedy} the names: classes: [...]")
    numbers = np.unique(np.concatenate([np.unique(column.numbers) for column in columns]))
    labels = numbers[np.isfinite(numbers) & (numbers != (np.nan if slot.ignore is None else slot.ignore))]
    is_whole = bool((labels == np.floor(labels)).all())
    is_counted = bool(((labels >= 0) & (labels < count)).all())
    if not is_whole or is_counted or len(labels) != count:
        return ()
    # A negative number among others is likely a mark of what has no label, unless they are a row of numbers.
    is_row = labels[-1] - labels[0] == count - 1
    return tuple(map(int, labels)) if labels[0] >= 0 or is_row or count == 2 else ()


def _in_order(word: Word) -> tuple[bool, Word]:
    return isinstance(word, str), word
