"""Missing values: refused, left out with their rows, or filled in from the rows trained on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.dataset.cells import not_a_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from symgrad.spec.model import Missing
    from symgrad.training.dataset.column import Column
    from symgrad.training.dataset.preparation import TensorPreparation


def whole_rows(columns: Iterable[Column]) -> NDArray[np.int64] | None:
    """The rows without a missing value; None where that is all of them."""
    lost = [c.is_missing.reshape(len(c.numbers), -1).any(axis=1) for c in columns]
    missing = np.logical_or.reduce(lost)
    return np.flatnonzero(~missing) if missing.any() else None


def refuse_missing(columns: Iterable[Column], remedy: str) -> None:
    """Raise a DataError for the first missing value, with the number in each column."""
    holes = [(column, cells) for column in columns if (cells := column.is_missing).any()]
    if not holes:
        return
    column, cells = holes[0]
    row, entry = column.first(cells)
    cell = column.cell(row, entry)
    problem = not_a_number(cell)[0] if isinstance(cell, str) else "there is no value"
    counts = Counter({c.name: int(found.sum()) for c, found in holes})
    if counts.total() > 1:
        listed = ", ".join(f"{count} in '{name}'" for name, count in counts.most_common(8))
        problem += (
            f", one of {counts.total():,} missing values ({listed}{', ...' if len(counts) > 8 else ''})"
        )
    raise DataError(problem, at=column.place(row, entry), remedy=remedy)


def refuse_unfillable(missing: Missing, inputs: Sequence[Column], targets: Sequence[Column]) -> None:
    """Raise a DataError for missing values that `missing` cannot fill in: targets, and words by numbers.

    `refuse` fills in none; its remedy is what can fill in these.
    """
    words = [column for column in inputs if column.codes is not None]
    if missing == "refuse":
        fills = " or most_frequent" if _has_holes(words) else ", mean or median"
        said = f"'missing: drop'{'' if _has_holes(targets) else fills}"
        refuse_missing([*inputs, *targets], f"fill in or leave out such rows, or say {said} under 'train'")
    refuse_missing(targets, "a target is never filled in; say 'missing: drop' under 'train'")
    if missing != "most_frequent":
        refuse_missing(words, f"'missing: {missing}' is of numbers; say 'missing: most_frequent' or drop")


def _has_holes(columns: Iterable[Column]) -> bool:
    return any(column.is_missing.any() for column in columns)


def fill_of(
    name: str, values: NDArray[Any], preparation: TensorPreparation, missing: Missing
) -> NDArray[np.float64]:
    """What stands for a missing value in each entry of a row, measured on these rows.

    Raises DataError for an entry that no row has.
    """
    if isinstance(missing, float):
        return np.full(values.shape[1:], missing)
    lost = np.isnan(values).all(axis=0)
    if lost.any():
        entry = int(lost.ravel().argmax())
        columns = np.repeat(preparation.columns, preparation.widths)
        which = f"column '{columns[entry]}'" if len(columns) == lost.size else f"entry {entry + 1}"
        problem = f"'{name}' has no value in {which} of the rows trained on"
        raise DataError(problem, remedy="leave it out, or say which number stands for it: missing: 0")
    if missing == "most_frequent":
        return _most_frequent(values, preparation)
    measured = np.nanmean(values, axis=0) if missing == "mean" else np.nanmedian(values, axis=0)
    return np.asarray(measured, np.float64)


def _most_frequent(values: NDArray[Any], preparation: TensorPreparation) -> NDArray[np.float64]:
    """The most frequent number of each entry, and category of each column; the first of several."""
    rows = values.reshape(len(values), -1)
    fill, start = np.empty(rows.shape[1]), 0
    widths = preparation.widths
    for width in widths if sum(widths) == rows.shape[1] else (1,) * rows.shape[1]:
        found = rows[:, start : start + width]
        if width == 1:
            numbers, counts = np.unique(found[~np.isnan(found)], return_counts=True)
            fill[start] = numbers[counts.argmax()]
        else:
            fill[start : start + width] = np.eye(width)[np.nansum(found, axis=0).argmax()]
        start += width
    return fill.reshape(values.shape[1:])
