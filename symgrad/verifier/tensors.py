"""Tensor values for the interpreter: broadcasting, matrix product and reductions on any number type.

Inside index notation every value has one leading dimension per index in scope, of size 1 where it does
not depend on that index; its own axes follow. Outside there are no leading dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from symgrad.errors import Position
    from symgrad.verifier.arithmetic import Array


@dataclass(frozen=True)
class Value:
    """`rank` counts the tensor's own axes; `classes` is set while the entries are integer labels."""

    array: Array
    rank: int
    classes: int | None = None

    @property
    def depth(self) -> int:
        """The number of leading dimensions, one per index in scope."""
        return self.array.ndim - self.rank

    def padded(self, depth: int, rank: int) -> Array:
        """The array with `depth` leading and `rank` own dimensions, those it lacks of size 1."""
        lead, own = self.array.shape[: self.depth], self.array.shape[self.depth :]
        ones = (1,) * (depth - self.depth)
        return self.array.reshape((*lead, *ones, *(1,) * (rank - self.rank), *own))


def combine(function: Callable[..., Array], values: Sequence[Value], depth: int, at: Position) -> Value:
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
    return Value(np.asarray(result), rank)


def matmul(left: Value, right: Value, depth: int, at: Position) -> tuple[Value, int]:
    """NumPy's `@`, and the number of scalar products it took.

    Raises:
        ShapeError: the shapes do not fit together.
    """
    row, column = left.rank == 1, right.rank == 1
    a = _with_axis(left, -2) if row else left
    b = _with_axis(right, -1) if column else right
    rank = max(a.rank, b.rank)
    try:
        product = np.asarray(np.matmul(a.padded(depth, rank), b.padded(depth, rank)))
    except ValueError as error:
        raise _misfit((left, right), at) from error
    work = product.size * left.array.shape[-1]
    if row:
        product = product[..., 0, :]
    if column:
        product = product[..., 0]
    return Value(product, rank - row - column), work


def _misfit(values: Sequence[Value], at: Position) -> ShapeError:
    shapes = " and ".join(str(value.array.shape[value.depth :]) for value in values)
    return ShapeError(f"shapes {shapes} do not fit together", at=at)


def _with_axis(value: Value, place: int) -> Value:
    return Value(np.expand_dims(value.array, place), value.rank + 1)


def reduce_axes(
    function: Callable[[Array, tuple[int, ...]], Array], value: Value, own: Sequence[int], keepdims: bool
) -> Value:
    """`function` over some of the tensor's own axes, numbered from 0."""
    over = tuple(value.depth + axis for axis in own)
    reduced = np.asarray(function(value.array, over))
    if keepdims:
        return Value(np.expand_dims(reduced, over), value.rank)
    return Value(reduced, value.rank - len(over))


def reduce_leading(
    function: Callable[[Array, tuple[int, ...]], Array], value: Value, sizes: Sequence[int]
) -> Value:
    """`function` over the last leading dimensions, one per entry of `sizes`."""
    depth = value.depth
    first = depth - len(sizes)
    shape = (*value.array.shape[:first], *sizes, *value.array.shape[depth:])
    full = np.broadcast_to(value.array, shape)
    return Value(np.asarray(function(full, tuple(range(first, depth)))), value.rank)
