"""Tensor values for the interpreter: broadcasting, matrix product and reductions on any number type.

Inside index notation every value has one leading dimension per index in scope, of size 1 where it does
not depend on that index; its own axes follow. Outside there are no leading dimensions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import Position, ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from symgrad.verifier.interpretation.arithmetic import Arithmetic
    from symgrad.verifier.interpretation.array_library import Array, ArrayLibrary


@dataclass(frozen=True)
class TensorValue:
    """`rank` counts the tensor's own axes; `classes` is set while the entries are integer labels.

    `ignore` is the label of entries that have none.
    """

    array: Array
    rank: int
    classes: int | None = None
    ignore: int | None = None

    @property
    def depth(self) -> int:
        """The number of leading dimensions, one per index in scope."""
        return self.array.ndim - self.rank

    def padded(self, depth: int, rank: int) -> Array:
        """The array with `depth` leading and `rank` own dimensions, those it lacks of size 1."""
        if self.rank == rank and self.array.ndim == depth + rank:
            return self.array
        lead, own = self.array.shape[: self.depth], self.array.shape[self.depth :]
        ones = (1,) * (depth - self.depth)
        return self.array.reshape((*lead, *ones, *(1,) * (rank - self.rank), *own))


def combine(
    function: Callable[..., Array], values: Sequence[TensorValue], depth: int, at: Position
) -> TensorValue:
    """`function` applied entry by entry, axes aligned from the right.

    Raises:
        ShapeError: the shapes do not fit together.
    """
    rank = max(value.rank for value in values)
    arrays = [value.padded(depth, rank) for value in values]
    try:
        result = function(*arrays)
    except ValueError as error:
        raise _misfit(values, at) from error
    return TensorValue(result, rank)


def spread(
    value: TensorValue, like: TensorValue, depth: int, at: Position, library: ArrayLibrary
) -> TensorValue:
    """One number for each leading entry of `like`, repeated along its further axes.

    Raises:
        ShapeError: the shapes do not fit together.
    """
    array, own = value.padded(depth, value.rank), tuple(like.array.shape[like.depth :])
    further = like.rank - value.rank
    shape = (*array.shape, *(1,) * further)
    if further < 0 or any(a not in (1, b) for a, b in zip(shape[depth:], own, strict=True)):
        raise _misfit((value, like), at)
    return TensorValue(library.broadcast_to(array.reshape(shape), (*shape[:depth], *own)), like.rank)


def onehot(value: TensorValue, arithmetic: Arithmetic) -> TensorValue:
    """Labels as rows of zeros and a one, or of zeros for an ignored label; numbers count as such rows."""
    if value.classes is None:
        return value
    labels, classes = value.array[..., None], np.arange(value.classes, dtype=np.float64)
    rows = labels == arithmetic.array(classes)
    if value.ignore is not None:
        rows = rows & (labels != arithmetic.array(float(value.ignore)))
    return TensorValue(arithmetic.array(rows), value.rank + 1)


def matmul(
    left: TensorValue, right: TensorValue, depth: int, at: Position, library: ArrayLibrary
) -> tuple[TensorValue, int]:
    """NumPy's `@`, and the number of scalar products it took.

    Raises:
        ShapeError: the shapes do not fit together.
    """
    row, column = left.rank == 1, right.rank == 1
    a = _with_axis(left, -2) if row else left
    b = _with_axis(right, -1) if column else right
    rank = max(a.rank, b.rank)
    try:
        product = library.matmul(a.padded(depth, rank), b.padded(depth, rank))
    except ValueError as error:
        raise _misfit((left, right), at) from error
    work = math.prod(product.shape) * left.array.shape[-1]
    if row:
        product = product[..., 0, :]
    if column:
        product = product[..., 0]
    return TensorValue(product, rank - row - column), work


def _misfit(values: Sequence[TensorValue], at: Position) -> ShapeError:
    shapes = " and ".join(str(value.array.shape[value.depth :]) for value in values)
    return ShapeError(f"shapes {shapes} do not fit together", at=at)


def _with_axis(value: TensorValue, place: int) -> TensorValue:
    shape = list(value.array.shape)
    shape.insert(len(shape) + 1 + place, 1)
    return TensorValue(value.array.reshape(shape), value.rank + 1)


def reduce_axes(
    function: Callable[[Array, tuple[int, ...]], Array],
    value: TensorValue,
    own: Sequence[int],
    keepdims: bool,
) -> TensorValue:
    """`function` over some of the tensor's own axes, numbered from 0."""
    over = tuple(value.depth + axis for axis in own)
    reduced = function(value.array, over)
    if keepdims:
        return TensorValue(reduced.reshape(kept_shape(value.array, over)), value.rank)
    return TensorValue(reduced, value.rank - len(over))


def kept_shape(array: Array, over: Sequence[int]) -> tuple[int, ...]:
    """The shape of an array once the axes in `over` have size 1."""
    return tuple(1 if axis in over else size for axis, size in enumerate(array.shape))


def reduce_leading(
    function: Callable[[Array, tuple[int, ...]], Array],
    value: TensorValue,
    sizes: Sequence[int],
    library: ArrayLibrary,
) -> TensorValue:
    """`function` over the last leading dimensions, one per entry of `sizes`."""
    depth = value.depth
    first = depth - len(sizes)
    shape = (*value.array.shape[:first], *sizes, *value.array.shape[depth:])
    full = library.broadcast_to(value.array, shape)
    return TensorValue(function(full, tuple(range(first, depth))), value.rank)
