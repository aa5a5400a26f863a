"""What pad, concat, stack and flatten mean: arrays put one after another, and axes merged."""

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
