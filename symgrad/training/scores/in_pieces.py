"""The loss and the predictions of many rows, some at a time where a module takes every row by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import ModuleType

MEMORY = 2**25
"""Bytes of the workspace of some rows, unless one alone needs more."""


def loss_of(module: ModuleType, params: Any, arrays: Sequence[Any]) -> float:
    """The loss of inference on all rows of inputs and targets."""
    how = getattr(module, "LOSS_BY_ROWS", "")
    pieces = _in_pieces(module, (*module.INPUTS, *module.TARGETS), arrays, how)
    if len(pieces) == 1:
        return float(module.loss(params, *arrays))
    found = [(piece.loss(params), piece.weight(how)) for piece in pieces]
    whole = 1.0 if how == "sum" else sum(weight for _, weight in found)
    if not whole:  # a mean of what counts has no value where nothing does
        return found[-1][0]
    return sum(value * (weight / whole) for value, weight in found if weight)


def predictions_of(
    module: ModuleType, params: Any, inputs: Sequence[Any]
) -> Iterator[tuple[slice | None, Any]]:
    """What is predicted for some rows after the others, with the rows that it is of; None where of all."""
    is_by_rows = getattr(module, "PREDICTS_BY_ROWS", False)
    pieces = _in_pieces(module, module.INPUTS, inputs, is_by_rows)
    for piece in pieces:
        rows = slice(piece.start, piece.start + piece.rows) if len(pieces) > 1 else None
        yield rows, piece.prediction(params)


def prediction_of(module: ModuleType, params: Any, inputs: Sequence[Any]) -> Any:
    """What is predicted for all rows: an array, or one for each output."""
    found = [said for _, said in predictions_of(module, params, inputs)]
    if len(found) == 1:
        return found[0]
    if isinstance(found[0], tuple):
        return tuple(map(np.concatenate, zip(*found, strict=True)))
    return np.concatenate(found)


@dataclass(frozen=True)
class _Rows:
    """What a module is given, by name, of rows behind `start` others."""

    module: ModuleType
    given: Mapping[str, Any]
    start: int = 0

    @property
    def are_countable(self) -> bool:
        """Whether all that is given has its axes and as many rows; what has not, the module refuses."""
        axes = self.module.AXES
        has_axes = all(np.ndim(array) == len(axes[name]) for name, array in self.given.items())
        return has_axes and len({len(self.given[name]) for name in self._of_rows}) == 1

    @property
    def rows(self) -> int:
        """How many."""
        return next((len(self.given[name]) for name in self._of_rows), 0)

    @property
    def _of_rows(self) -> list[str]:
        rows, axes = self.module.BATCH_AXIS, self.module.AXES
        return [name for name in self.given if rows and axes[name][:1] == (rows,)]

    def part(self, start: int, stop: int) -> _Rows:
        """Some of them."""
        of_rows = self._of_rows
        given = {n: array[start:stop] if n in of_rows else array for n, array in self.given.items()}
        return _Rows(self.module, given, start)

    def extents(self, rows: int) -> tuple[int, ...]:
        """All sizes that such data decide, if the rows are so many."""
        axes = self.module.AXES
        pairs = (zip(axes[name], np.shape(array), strict=True) for name, array in self.given.items())
        sizes = {axis: size for each in pairs for axis, size in each} | {self.module.BATCH_AXIS: rows}
        found: tuple[int, ...] = self.module._sizes(*(sizes.get(axis, 1) for axis in self.module.FREE_AXES))
        return found

    def work_size(self, rows: int) -> int:
        """How many numbers the workspace of so many rows holds."""
        found: int = self.module._work_size(*self.extents(rows))
        return found

    def at_once(self) -> int:
        """The rows whose workspace has the memory that it may have; at least one."""
        least, most = self.work_size(1), self.work_size(self.rows)
        spare = max(0, MEMORY // int(np.dtype(self.module.DTYPE).itemsize) - least)
        if most - least <= spare:
            return self.rows
        return 1 + spare * (self.rows - 1) // (most - least)

    def loss(self, params: Any) -> float:
        """Of inference."""
        if self._key:
            return float(self.module._loss_of(params, (*self.given.values(), *self._key)))
        return float(self.module.loss(params, *self.given.values()))

    def weight(self, how: str) -> float:
        """What they weigh in the loss of more rows, once their own is computed."""
        if how != "weighted":
            return float(self.rows) if how == "mean" else 1.0
        extents = self.extents(self.rows)
        work = self.module._kept("work", self.module._work_size(*extents))
        return float(self.module._weight_of_rows(work, *extents))

    def prediction(self, params: Any) -> Any:
        """Of inference."""
        module, inputs = self.module, (*self.given.values(), *self._key)
        if self._key:
            return module._evaluated(module._predict, module._predictions, params, inputs)
        return module.predict(params, *inputs)

    @property
    def _key(self) -> tuple[tuple[int, int, int], ...]:
        """What inference draws by behind other rows, where a module draws."""
        key = getattr(self.module, "KEY", None)
        return ((*key[:2], self.start),) if key and self.start else ()


def _in_pieces(
    module: ModuleType, names: Sequence[str], arrays: Sequence[Any], may_be_several: object
) -> list[_Rows]:
    """The rows in stretches whose workspace is small enough, or all as one."""
    whole = _Rows(module, dict(zip(names, arrays, strict=True)))
    if not may_be_several or not whole.are_countable:
        return [whole]
    rows, most = whole.rows, whole.at_once()
    return [whole.part(start, min(start + most, rows)) for start in range(0, rows, most)] or [whole]
