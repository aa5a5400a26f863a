"""What pad, concat, stack, column_stack and flatten mean: arrays put one after another, and axes merged."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import ShapeError
from symgrad.spec.language.arrays.placements import counted_axis
from symgrad.verifier.interpretation.tensors import TensorValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.spec.language.syntax import Call
    from symgrad.verifier.interpretation.arithmetic import Arithmetic
    from symgrad.verifier.interpretation.array_library import Array


def placed(
    call: Call,
    values: Sequence[TensorValue],
    numbers: Mapping[str, int],
    filling: TensorValue | None,
    depth: int,
    arithmetic: Arithmetic,
) -> TensorValue:
    """The value of a call of pad, concat, stack or flatten, with `depth` leading dimensions.

    What is padded is the one number of `filling`, or 0.

    Raises:
        SpecError: there is no such axis.
        ShapeError: the shapes do not fit together.
    """
    first = values[0]
    if call.function == "flatten":
        start, end = (counted_axis(call, name, numbers[name], first.rank) for name in ("start", "end"))
        return _merged(first, start, end)
    if call.function == "pad":
        axis = counted_axis(call, "axis", numbers["axis"], first.rank)
        before, after = (
            _filled(first, axis, numbers[name], filling, arithmetic) for name in ("before", "after")
        )
        return _joined(call, [before, first, after], axis, depth, arithmetic)
    if call.function == "column_stack":
        columns = _columns(call, values, arithmetic)
        return _joined(call, columns, columns[0].rank - 1, depth, arithmetic)
    if call.function == "stack":
        axis = counted_axis(call, "axis", numbers["axis"], first.rank + 1)
        return _joined(call, [_with_axis(value, axis) for value in values], axis, depth, arithmetic)
    return _joined(call, values, counted_axis(call, "axis", numbers["axis"], first.rank), depth, arithmetic)


def _filled(
    value: TensorValue, axis: int, size: int, filling: TensorValue | None, arithmetic: Arithmetic
) -> TensorValue:
    """So many slices like those of the value along an axis, all of one number."""
    own = [*value.array.shape[value.depth :]]
    own[axis] = size
    if filling is None:
        return TensorValue(arithmetic.array(np.zeros(own)), value.rank)
    lead = filling.array.shape[: filling.depth]
    number = filling.array.reshape((*lead, *(1 for _ in own)))
    return TensorValue(arithmetic.library.broadcast_to(number, (*lead, *own)), value.rank)


def _columns(call: Call, values: Sequence[TensorValue], arithmetic: Arithmetic) -> list[TensorValue]:
    """One number a row as a column, and one number as a column that repeats it."""
    rows = next((v.array.shape[v.depth] for v in values if v.rank), None)
    if rows is None:
        raise ShapeError(f"{call.function} of single numbers", at=call.at)
    spread = arithmetic.library.broadcast_to
    found = []
    for value in values:
        if not value.rank:
            array = spread(value.array.reshape((*value.array.shape, 1)), (*value.array.shape, rows))
            value = TensorValue(array, 1)
        found.append(_with_axis(value, 1) if value.rank == 1 else value)
    return found


def _with_axis(value: TensorValue, axis: int) -> TensorValue:
    shape, at = value.array.shape, value.depth + axis
    return TensorValue(value.array.reshape((*shape[:at], 1, *shape[at:])), value.rank + 1)


def _merged(value: TensorValue, start: int, end: int) -> TensorValue:
    shape, first, last = value.array.shape, value.depth + start, value.depth + end + 1
    merged = (*shape[:first], math.prod(shape[first:last]), *shape[last:])
    return replace(value, array=value.array.reshape(merged), rank=value.rank - (end - start))


def _joined(
    call: Call, values: Sequence[TensorValue], axis: int, depth: int, arithmetic: Arithmetic
) -> TensorValue:
    """The arrays one after another along an axis of their own, all for every value of every index."""
    rank = values[0].rank
    if any(value.rank != rank for value in values):
        raise ShapeError(f"{call.function} of tensors with different numbers of axes", at=call.at)
    arrays: list[Array] = [value.padded(depth, rank) for value in values]
    lead = np.broadcast_shapes(*(array.shape[:depth] for array in arrays))
    spread = arithmetic.library.broadcast_to
    arrays = [spread(array, (*lead, *array.shape[depth:])) for array in arrays]
    others = {(*a.shape[: depth + axis], *a.shape[depth + axis + 1 :]) for a in arrays}
    if len(others) > 1:
        raise ShapeError(f"{call.function} of tensors whose other axes differ", at=call.at)
    return TensorValue(arithmetic.library.concatenate(arrays, depth + axis), rank)
