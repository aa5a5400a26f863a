"""Data read as those in training were: the same columns, the same words, the same numbers."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING

from symgrad.errors import DataError, DataWarning, did_you_mean, warn
from symgrad.training.dataset.feeding.assign import listed_names, of_its_name, position_of
from symgrad.training.dataset.feeding.words_or_numbers import of_known, of_one_kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from symgrad.spec.model import Word
    from symgrad.training.dataset.column import Column
    from symgrad.training.dataset.preparation import TensorPreparation
    from symgrad.training.dataset.source import Selection, Source


def known_columns(
    source: Source, tensors: Mapping[str, TensorPreparation]
) -> Iterator[dict[str, list[Column]]]:
    """The columns or the array of each tensor as numbers or words, some rows at a time.

    They are found by the names they had in training; where there are no names, by their positions, or in
    their order. Raises DataError.
    """
    chosen = _chosen(source, tensors)
    positions = sorted({position for selection in chosen.values() for position in selection})
    written = {
        position
        for name, selection in chosen.items()
        for number, position in enumerate(selection)
        if any(isinstance(word, str) for word in _words(tensors[name], number))
    }
    rows = 0
    for part in source.parts(positions, written):
        if not len(part[0].numbers):
            continue
        rows += len(part[0].numbers)
        read = dict(zip(positions, part, strict=True))
        yield {
            name: _typed(tensors[name], [read[position] for position in selection])
            for name, selection in chosen.items()
        }
    if not rows:
        raise DataError("holds no rows of data", at=source.label, remedy="at least 1 is needed")


def _words(tensor: TensorPreparation, number: int) -> tuple[Word, ...]:
    """The words that a column may hold; none of a column of numbers, as one-hot columns are."""
    if tensor.count and len(tensor.columns) == tensor.size * tensor.count:
        return ()
    return tensor.classes or (tensor.categories[number] if number < len(tensor.categories) else ())


def _typed(tensor: TensorPreparation, columns: list[Column]) -> list[Column]:
    entries = sum(math.prod(column.numbers.shape[1:]) for column in columns)
    if tensor.count and entries == tensor.size * tensor.count:
        return [of_one_kind(column) for column in columns]
    words = [_words(tensor, number) for number in range(len(columns))]
    return [of_known(c, known) if known else of_one_kind(c) for c, known in zip(columns, words, strict=True)]


def _chosen(source: Source, tensors: Mapping[str, TensorPreparation]) -> dict[str, Selection]:
    """The columns of every tensor. Raises DataError where they are not there."""
    given = dict(source.given)
    chosen = {n: _among(source, t, given[n]) for n, t in tensors.items() if n in given}
    left = {n: t for n, t in tensors.items() if n not in given}
    if not left:
        return chosen
    if source.noun == "array":
        return chosen | {name: _array_for(source, name, left) for name in left}
    if source.has_names and any(tensor.found_by == "name" for tensor in left.values()):
        return chosen | _by_names(source, left)
    if any(tensor.found_by == "position" for tensor in left.values()):
        return chosen | _by_positions(source, left)
    return chosen | _in_order(source, left)


def _among(source: Source, tensor: TensorPreparation, given: tuple[str, ...]) -> Selection:
    """The columns of a tensor among those that the data give it: by their names, else in their order."""
    if all(column in given for column in tensor.columns):
        return tuple(position_of(source, column) for column in tensor.columns)
    if len(given) > 1 or source.noun == "column":
        _check_count(source, [tensor], len(given))
    return tuple(position_of(source, column) for column in given)


def _array_for(source: Source, name: str, tensors: Mapping[str, TensorPreparation]) -> Selection:
    for known in (*tensors[name].columns[: len(tensors[name].columns) == 1], name):
        if known in source.names:
            return (source.names.index(known),)
    if len(source.names) == len(tensors) == 1:
        return (0,)
    remedy = did_you_mean(name, source.names) or f"there are {listed_names(source.names)}"
    raise DataError(f"there is no array '{name}'", at=source.label, remedy=remedy)


def _by_names(source: Source, tensors: Mapping[str, TensorPreparation]) -> dict[str, Selection]:
    missing = [c for tensor in tensors.values() for c in tensor.columns if c not in source.names]
    if missing:
        remedy = did_you_mean(missing[0], source.names) or f"there are {listed_names(source.names)}"
        problem = f"there is no column '{missing[0]}', which was there in training"
        raise DataError(problem, at=source.label, remedy=remedy)
    return {name: tuple(map(source.names.index, tensor.columns)) for name, tensor in tensors.items()}


def _by_positions(source: Source, tensors: Mapping[str, TensorPreparation]) -> dict[str, Selection]:
    """Columns where they stood in training; where there are these alone, in the same order."""
    stood = sorted(int(column) for tensor in tensors.values() for column in tensor.columns)
    if len(source.names) == len(stood):
        now = {position: number for number, position in enumerate(stood)}
    elif len(source.names) >= stood[-1]:
        now = {position: position - 1 for position in stood}
    else:
        _check_count(source, tensors.values(), len(source.names))
    return {name: tuple(now[int(c)] for c in tensor.columns) for name, tensor in tensors.items()}


def _in_order(source: Source, tensors: Mapping[str, TensorPreparation]) -> dict[str, Selection]:
    """Columns without the names known from training, in the order they had there.

    What was an array then takes the column of the tensor's name now, or those of its name and their number.
    """
    known = {n: own for n, t in tensors.items() if (own := of_its_name(source, n, _count(t)))}
    if known.keys() != tensors.keys():
        _check_count(source, tensors.values(), len(source.names))
    taken = {position for own in known.values() for position in own}
    rest = iter(position for position in range(len(source.names)) if position not in taken)
    chosen = {
        name: known[name] if name in known else tuple(islice(rest, _count(tensor)))
        for name, tensor in tensors.items()
    }
    if any(tensor.found_by == "name" for tensor in tensors.values()):
        columns = listed_names([column for tensor in tensors.values() for column in tensor.columns])
        problem = f"the columns have no names: they are taken for {columns}, in this order"
        warn(DataWarning(problem, at=source.label, remedy="give the file a header with the names"))
    return chosen


def _check_count(source: Source, tensors: Collection[TensorPreparation], found: int) -> None:
    needed = sum(map(_count, tensors))
    if found != needed:
        columns = [column for tensor in tensors for column in tensor.columns]
        problem = f"has {found} columns where the model takes {needed}"
        raise DataError(problem, at=source.label, remedy=f"it was trained on {listed_names(columns)}")


def _count(tensor: TensorPreparation) -> int:
    """The number of columns that a table has for a tensor."""
    is_array = len(tensor.columns) == 1 and not any(tensor.categories)
    return tensor.size if is_array else len(tensor.columns)
