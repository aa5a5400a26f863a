"""Cells that do not fit a tensor, refused where they stand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from symgrad.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from symgrad.spec.model import Word
    from symgrad.training.dataset.column import Column
    from symgrad.training.dataset.preparation import TensorPreparation


def refuse(name: str, column: Column, bad: NDArray[np.bool_], problem: str, remedy: str) -> None:
    """Raise a DataError at the first bad cell."""
    if bad.any():
        row, entry = column.first(bad)
        text = f"{shown(column.cell(row, entry))} {problem} (for '{name}')"
        raise DataError(text, at=column.place(row, entry), remedy=remedy)


def shown(cell: Word) -> str:
    """What a cell holds, for people."""
    if isinstance(cell, str):
        return repr(cell if len(cell) <= 40 else f"{cell[:40]}...")
    return str(cell) if isinstance(cell, bool) else f"{cell:.12g}"


def check_shape(name: str, column: Column, preparation: TensorPreparation) -> None:
    """Rows may be flattened or unflattened; two different foldings of a row are an error."""
    found, shape = column.numbers.shape[1:], preparation.shape
    same = _without_ones(found) == _without_ones(shape)
    flat = min(len(found), len(shape)) <= 1 and math.prod(found) == math.prod(shape)
    if not (same or flat):
        where = column.place(0, 0) if column.numbers.size else None
        problem = f"rows of shape {_brackets(found)} do not fit '{name}'"
        remedy = f"the spec needs rows of shape {_brackets(shape)}"
        raise DataError(problem, at=where, remedy=remedy)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _brackets(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"
