"""pad, concat, stack, column_stack, flatten: tensors put into a new one, each entry at a place of its own."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import sympy as sp

from symgrad.calculus.axes import Axis, show_axes
from symgrad.calculus.real import Piecewise
from symgrad.calculus.terms import leading
from symgrad.elaborate.operands import Value
from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.arrays.placements import counted_axis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.calculus.axes import Axes
    from symgrad.elaborate.operands import EquationBuilder
    from symgrad.spec.language.sizes.size_forms import Whole
    from symgrad.spec.language.syntax import Call

T = TypeVar("T")


def placed(
    call: Call,
    values: Sequence[Value],
    numbers: Mapping[str, int],
    filling: Value | None,
    owner: str,
    builder: EquationBuilder,
) -> Value:
    """The value of a call of pad, concat, stack or flatten; what is padded is 0 without a `filling`.

    Raises:
        SpecError: an argument holds integer labels, or a number is none that fits.
        ShapeError: axes that do not fit, or whose size only the data decides.
    """
    every = [*values, *(() if filling is None else (filling,))]
    builder.demand_numbers(every, f"'{call.function}'", call.at)
    put = _Placing(call, owner, builder)
    if call.function == "pad":
        padded = put.padded(values[0], **numbers)
        return padded if filling is None else put.filled(padded, filling, **numbers)
    if call.function == "flatten":
        return put.flattened(values[0], **numbers)
    if call.function == "column_stack":
        return put.joined(put.columns(values), -1)
    if call.function == "stack":
        values = [put.with_axis(value, numbers["axis"]) for value in values]
    return put.joined(values, numbers["axis"])


class _Placing:
    def __init__(self, call: Call, owner: str, builder: EquationBuilder) -> None:
        self.call, self.owner, self.builder = call, owner, builder

    def padded(self, value: Value, axis: int, before: int, after: int) -> Value:
        """The value with zeros before and after it along an axis."""
        for name, number in (("before", before), ("after", after)):
            if number < 0:
                problem = f"{self.call.function}: {name} is {number}"
                raise SpecError(problem, at=self.call.at, remedy="expected 0 or more zeros")
        place = counted_axis(self.call, "axis", axis, len(value.axes))
        size = before + self._size(value.axes, place) + after
        return self._put(value, place, sp.Integer(before), size)

    def _put(self, value: Value, place: int, start: sp.Expr, size: Whole) -> Value:
        """The value from a place on in an axis of that size, 0 elsewhere."""
        axis = value.axes[place]
        if axis.whole == size:
            return value
        axes = _with(value.axes, place, Axis.of(size))
        places = _with(value.indices, place, leading(value.indices[place] + start))
        return self.builder.placed(self.owner, value, axes, places)

    def filled(self, value: Value, filling: Value, axis: int, before: int, after: int) -> Value:
        """The padded value with another number where it is padded."""
        if filling.axes:
            problem = f"{self.call.function}: value is {show_axes(filling.axes)}"
            raise ShapeError(problem, at=self.call.at, remedy="expected one number")
        place = counted_axis(self.call, "axis", axis, len(value.axes))
        index, size = value.indices[place], value.axes[place].extent
        ends = [c for c, number in ((index >= before, before), (index < size - after, after)) if number]
        return replace(value, body=Piecewise((value.body, sp.And(*ends)), (filling.body, True)))

    def joined(self, values: Sequence[Value], axis: int) -> Value:
        """The values one after another along an axis: a sum of each with zeros for the others."""
        first = values[0]
        place = counted_axis(self.call, "axis", axis, len(first.axes))
        for value in values:
            same = len(value.axes) == len(first.axes) and all(
                a.is_alike(b)
                for n, (a, b) in enumerate(zip(value.axes, first.axes, strict=True))
                if n != place
            )
            if not same:
                raise ShapeError(
                    f"{self.call.function} cannot join {show_axes(first.axes)} and {show_axes(value.axes)}",
                    at=self.call.at,
                    remedy="all axes but the one along which they are joined must be the same",
                )
        size: Whole = sum(self._size(value.axes, place) for value in values)
        extents = [value.axes[place].extent for value in values]
        parts = [self._put(value, place, sp.Add(*extents[:n]), size) for n, value in enumerate(values)]
        return self.builder.combine(lambda *bodies: sp.Add(*bodies), parts, self.call.function, self.call.at)

    def columns(self, values: Sequence[Value]) -> list[Value]:
        """One number a row as a column, and one number as a column that repeats it."""
        like = next((value for value in values if value.axes), None)
        if like is None:
            remedy = "expected one number or more a row: [batch] or [batch, 3]"
            raise ShapeError(f"{self.call.function} of single numbers", at=self.call.at, remedy=remedy)
        spread = (v if v.axes else Value(like.axes[:1], like.indices[:1], v.body) for v in values)
        return [self.with_axis(value, 1) if len(value.axes) == 1 else value for value in spread]

    def with_axis(self, value: Value, axis: int) -> Value:
        """The value with one more axis, of size 1."""
        place = counted_axis(self.call, "axis", axis, len(value.axes) + 1)
        one = Axis(None, 1)
        axes = (*value.axes[:place], one, *value.axes[place:])
        return Value(
            axes, (*value.indices[:place], self.builder.index(one), *value.indices[place:]), value.body
        )

    def flattened(self, value: Value, start: int, end: int) -> Value:
        """The axes from start to end as one, the last of them running fastest."""
        rank = len(value.axes)
        first = counted_axis(self.call, "start", start, rank)
        last = counted_axis(self.call, "end", end, rank)
        if first > last:
            problem = f"{self.call.function}: start {start} comes after end {end} in {show_axes(value.axes)}"
            raise SpecError(problem, at=self.call.at, remedy="write flatten(x, start=1, end=-1)")
        if first == last:
            return value
        sizes = [self._size(value.axes, n) for n in range(first, last + 1)]
        outer, *inner = sizes
        fixed = [size for size in inner if isinstance(size, int)]
        if len(fixed) < len(inner):
            joined = show_axes(value.axes[first : last + 1])
            problem = f"{self.call.function}: there are free axes behind the first of {joined}"
            remedy = "only the first of the axes that become one may have a size that the data decides"
            raise ShapeError(problem, at=self.call.at, remedy=remedy)
        strides = [math.prod(fixed[n:]) for n in range(len(sizes))]
        merged = sp.Add(*(s * i for s, i in zip(strides, value.indices[first : last + 1], strict=True)))
        axes = (*value.axes[:first], Axis.of(outer * strides[0]), *value.axes[last + 1 :])
        places = (*value.indices[:first], leading(merged), *value.indices[last + 1 :])
        return self.builder.placed(self.owner, value, axes, places)

    def _size(self, axes: Axes, place: int) -> Whole:
        """The size of an axis; one of rows has none, as a module takes these in batches."""
        if axes[place].name == self.builder.rows != "":
            raise ShapeError(
                f"{self.call.function} along the rows '{axes[place]}'",
                at=self.call.at,
                remedy="put together what one row holds, along another axis",
            )
        return axes[place].whole


def _with(parts: tuple[T, ...], place: int, new: T) -> tuple[T, ...]:
    return (*parts[:place], new, *parts[place + 1 :])
