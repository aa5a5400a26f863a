"""Data read as those in training were: the same columns, the same words, the same numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import DataError, DataWarning, did_you_mean, warn
from symgrad.training.dataset.feeding.assign import listed_names, position_of
from symgrad.training.dataset.feeding.words_or_numbers import of_known, of_one_kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.spec.model import Word
    from symgrad.training.dataset.column import Column
    from symgrad.training.dataset.preparation import TensorPreparation
    from symgrad.training.dataset.source import Selection, Source


def known_columns(
    source: Source, tensors: Mapping[str, TensorPreparation]
) -> Iterator[dict[str, list[Column]]]:
    """The columns or the array of each tensor as numbers or words, some rows at a time.

    They are found by the names they had in training; where there are no names, by their order.
    Raises DataError.
    """
    chosen = {name: _located(source, name, tensor, tensors) for name, tensor in tensors.items()}
    positions = sorted({position for selection in chosen.values() for position in selection})
    written = {
        position
        for name, selection in chosen.items()
        for number, position in enumerate(selection)
        if any(isinstance(word, str) for word in _words(tensors[name], number))
    }
    for part in source.parts(positions, written):
        read = dict(zip(positions, part, strict=True))
        yield {
            name: [_typed(read[p], _words(tensors[name], n)) for n, p in enumerate(selection)]
            for name, selection in chosen.items()
        }


def _words(tensor: TensorPreparation, number: int) -> tuple[Word, ...]:
    """The words that a column may hold; none of a column of numbers."""
    return tensor.classes or (tensor.categories[number] if number < len(tensor.categories) else ())


def _typed(column: Column, words: tuple[Word, ...]) -> Column:
    return of_known(column, words) if words else of_one_kind(column)


def _located(
    source: Source, name: str, tensor: TensorPreparation, tensors: Mapping[str, TensorPreparation]
) -> Selection:
    """The columns of a tensor. Raises DataError where they are not there."""
    given = dict(source.given).get(name)
    names = source.names if given is None else given
    if all(column in names for column in tensor.columns):
        return tuple(position_of(source, column) for column in tensor.columns)
    if given is not None:
        if len(given) > 1 or source.noun == "column":
            _check_count(source, {name: tensor}, len(given))
        return tuple(position_of(source, column) for column in given)
    return _array_for(source, name, tensors) if source.noun == "array" else _in_order(source, name, tensors)


def _array_for(source: Source, name: str, tensors: Mapping[str, TensorPreparation]) -> Selection:
    if name in source.names:
        return (source.names.index(name),)
    if len(source.names) == len(tensors) == 1:
        return (0,)
    remedy = did_you_mean(name, source.names) or f"there are {listed_names(source.names)}"
    raise DataError(f"there is no array '{name}'", at=source.label, remedy=remedy)


def _in_order(source: Source, name: str, tensors: Mapping[str, TensorPreparation]) -> Selection:
    """Columns without the names known from training, in the order they had there."""
    had_names = any(
        not column.isdigit() for t in tensors.values() for column in t.columns if len(t.columns) > 1
    )
    if source.has_names and had_names:
        missing = [c for t in tensors.values() for c in t.columns if c not in source.names]
        remedy = did_you_mean(missing[0], source.names) or f"there are {listed_names(source.names)}"
        problem = f"there is no column '{missing[0]}', which was there in training"
        raise DataError(problem, at=source.label, remedy=remedy)
    _check_count(source, tensors, len(source.names))
    first = 0
    for other, tensor in tensors.items():
        if other == name:
            break
        first += _count(tensor)
    if had_names:
        columns = ", ".join(tensors[name].columns)
        problem = f"the columns have no names: they are taken for {columns} ('{name}'), in this order"
        warn(DataWarning(problem, at=source.label, remedy="give the file a header with the names"))
    return tuple(range(first, first + _count(tensors[name])))


def _check_count(source: Source, tensors: Mapping[str, TensorPreparation], found: int) -> None:
    needed = sum(map(_count, tensors.values()))
    if found != needed:
        columns = [column for tensor in tensors.values() for column in tensor.columns]
        problem = f"has {found} columns where the model takes {needed}"
        raise DataError(problem, at=source.label, remedy=f"it was trained on {listed_names(columns)}")


def _count(tensor: TensorPreparation) -> int:
    """The number of columns that a table has for a tensor."""
    is_array = len(tensor.columns) == 1 and not any(tensor.categories)
    return tensor.size if is_array else len(tensor.columns)
