"""A series, a table whose rows follow each other in time, as rows of windows: what was, and what comes next.

A window is a row of a wider table. Of a column `a` it has `a[t-2]`, `a[t-1]` and `a[t]`, the last row of
the window, then `a[t+1]` and so on, as many rows ahead as are foretold. All that holds for columns holds for
these.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import DataError, did_you_mean
from symgrad.training.dataset.feeding.assign import listed_names, named_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from symgrad.spec.model import Spec
    from symgrad.training.dataset.column import Column
    from symgrad.training.dataset.preparation import Windows
    from symgrad.training.dataset.source import Source


def series_source(source: Source, series: Windows, *, is_past: bool = False) -> Source:
    """A table cut into windows, a column for each place; with `is_past` what comes next need not be there.

    Raises DataError where it is no table, and, when it is read, where it has no window.
    """
    if source.noun != "column":
        remedy = "name a table, or leave 'window' and 'ahead' out where the rows of the arrays are windows"
        raise DataError("holds arrays, and a series is a table", at=source.label, remedy=remedy)
    ahead, count = 0 if is_past else series.ahead or 0, len(source.names)
    whole = series.window + ahead
    names = tuple(place_of(name, place, series) for place in range(whole) for name in source.names)

    def parts(positions: Sequence[int], words: Collection[int]) -> Iterator[list[Column]]:
        narrow = sorted({position % count for position in positions})
        read = dict(zip(narrow, source.read(narrow, {word % count for word in words}), strict=False))
        length = len(read[narrow[0]].numbers) if read else 0
        if length < whole:
            behind = f" with {ahead} ahead" if ahead else ""
            problem = f"a series of {length} rows has no window of {series.window}{behind}"
            raise DataError(problem, at=source.label, remedy="expected a longer series, or a shorter window")
        starts = np.arange(0, length - whole + 1, series.step)
        found = [(read[p % count], starts + p // count, names[p]) for p in positions]
        yield [replace(column.take(rows), name=name) for column, rows, name in found]

    return replace(source, names=names, parts=parts, has_names=True, given=(), windows=series)


def has_windows(source: Source) -> bool:
    """Whether these are arrays, or a table for each tensor, whose rows are windows already."""
    return source.noun == "array" or bool(source.given)


def place_of(name: str, place: int, series: Windows) -> str:
    """What a column is called at a place of a window."""
    later = place - series.window + 1
    return f"{name}[t{later:+}]" if later else f"{name}[t]"


def fed_by_series(
    source: Source, spec: Spec, columns: Sequence[tuple[str, tuple[str, ...]]], series: Windows
) -> Mapping[str, tuple[str, ...]]:
    """The columns of windows that feed each tensor: an input by the window, a target by what is ahead of it.

    `columns` name those of the table. Raises DataError for tensors without columns, and for unknown ones.
    """
    inputs = {tensor.name for tensor in spec.inputs}
    chosen = named_columns(source, columns)
    for tensor in (*spec.inputs, *spec.targets):
        if tensor.name not in chosen:
            remedy = f"say it by 'columns' under 'data': {{{tensor.name}: [{source.names[0]}]}}"
            problem = f"nothing says which columns of a series feed '{tensor.name}'"
            raise DataError(problem, at=source.label, remedy=remedy)
    for name in (name for names in chosen.values() for name in names):
        if name not in source.names:
            remedy = did_you_mean(name, source.names) or f"there are {listed_names(source.names)}"
            raise DataError(f"there is no column '{name}'", at=source.label, remedy=remedy)
    past, ahead = range(series.window), range(series.window, series.window + (series.ahead or 0))
    return {
        tensor: tuple(
            place_of(name, place, series) for place in (past if tensor in inputs else ahead) for name in names
        )
        for tensor, names in chosen.items()
    }
