"""Tensors under construction: a scalar body together with the axes its free indices run over."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.program import Axes, Axis, Equation, Loop, Reduction, Tensor, canonical, show_axes
from symgrad.calculus.terms import Entry, indices_in
from symgrad.errors import Position, ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ONE = Axis(None, 1)


@dataclass(frozen=True)
class Value:
    """`body` over `indices`, each running over the axis at its place. Scalars have no axes."""

    axes: Axes
    indices: tuple[sp.Symbol, ...]
    body: sp.Expr

    def at(self, indices: Sequence[sp.Expr]) -> sp.Expr:
        """The body with its indices replaced."""
        return self.body.xreplace(dict(zip(self.indices, indices, strict=True)))

    @property
    def is_atomic(self) -> bool:
        """A number, an extent or an entry whose indices stand in order."""
        body = self.body
        plain_entry = isinstance(body, Entry) and body.indices == self.indices
        return plain_entry or (not self.axes and not body.args)


def scalar(body: sp.Expr) -> Value:
    return Value((), (), body)


class Builder:
    """Collects the equations that building values calls for, and names them."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.equations: list[Equation] = []
        self.axis_of: dict[sp.Symbol, Axis] = {}
        self._numbers = count()
        self._temporaries: dict[str, int] = {}

    def index(self, axis: Axis) -> sp.Symbol:
        """A fresh index that runs over `axis`."""
        symbol = sp.Symbol(f"_{next(self._numbers)}", integer=True, nonnegative=True)
        self.axis_of[symbol] = axis
        return symbol

    def tensor_value(self, tensor: Tensor) -> Value:
        """All of a tensor."""
        indices = tuple(self.index(axis) for axis in tensor.axes)
        return Value(tensor.axes, indices, Entry(tensor.name, indices))

    def define(
        self, tensor: Tensor, indices: Sequence[sp.Symbol], body: sp.Expr, reduction: Reduction = "none",
        over: Sequence[sp.Symbol] = (),
    ) -> None:
        """Add `tensor[indices] = reduction over `over` of body`."""
        loops = tuple(Loop(i, self.axis_of[i]) for i in (*indices, *over))
        self.tensors[tensor.name] = tensor
        self.equations.append(canonical(Equation(tensor.name, tuple(indices), loops, reduction, body)))

    def temporary(
        self, owner: str, value: Value, reduction: Reduction = "none", over: Sequence[sp.Symbol] = ()
    ) -> Value:
        """A temporary tensor that holds `value`, or its reduction over some of its indices.

        Indices of an index notation around the value become axes of the temporary.
        """
        outer = sorted(indices_in(value.body) - {*value.indices, *over}, key=lambda s: self._order(s))
        kept = [i for i in value.indices if i not in over]
        indices = (*outer, *kept)
        axes = tuple(self.axis_of[i] for i in indices)
        tensor = Tensor(self.unused(owner), axes, "temporary")
        self.define(tensor, indices, value.body, reduction, over)
        kept_axes = tuple(self.axis_of[i] for i in kept)
        return Value(kept_axes, tuple(kept), Entry(tensor.name, indices))

    def _order(self, symbol: sp.Symbol) -> int:
        return list(self.axis_of).index(symbol)

    def unused(self, owner: str) -> str:
        while True:
            self._temporaries[owner] = self._temporaries.get(owner, 0) + 1
            name = f"{owner}_{self._temporaries[owner]}"
            if name not in self.tensors:
                return name

    # Combining values -----------------------------------------------------------------------

    def combine(
        self, function: Callable[..., sp.Expr], values: Sequence[Value], what: str, at: Position
    ) -> Value:
        """`function` applied entry by entry, with broadcasting."""
        axes = values[0].axes
        for value in values[1:]:
            axes = broadcast(axes, value.axes, what, at)
        indices = tuple(self.index(axis) for axis in axes)
        bodies = [self._aligned(value, axes, indices) for value in values]
        return Value(axes, indices, function(*bodies))

    def _aligned(self, value: Value, axes: Axes, indices: Sequence[sp.Symbol]) -> sp.Expr:
        skipped = len(axes) - len(value.axes)
        places = [
            index if mine.fits(axis) else sp.Integer(0)
            for mine, axis, index in zip(value.axes, axes[skipped:], indices[skipped:], strict=True)
        ]
        return value.at(places)

    def reduce(
        self, owner: str, reduction: Reduction, value: Value, over: Sequence[sp.Symbol], keepdims: bool = False
    ) -> Value:
        """Reduce a value over some of its indices, or over indices of an index notation."""
        if reduction != "sum" and not isinstance(value.body, Entry):
            value = self.temporary(owner, self._with(value, over))
        reduced = self.temporary(owner, self._with(value, over), reduction, over)
        if not keepdims:
            return reduced
        axes = tuple(ONE if i in over else axis for i, axis in zip(value.indices, value.axes, strict=True))
        fresh = tuple(self.index(axis) for axis in axes)
        kept = dict(
            zip(reduced.indices, [f for f, i in zip(fresh, value.indices, strict=True) if i not in over], strict=True)
        )
        return Value(axes, fresh, reduced.body.xreplace(kept))

    def _with(self, value: Value, over: Sequence[sp.Symbol]) -> Value:
        extra = tuple(i for i in over if i not in value.indices)
        axes = (*value.axes, *(self.axis_of[i] for i in extra))
        return Value(axes, (*value.indices, *extra), value.body)

    def matmul(self, owner: str, left: Value, right: Value, at: Position) -> Value:
        """NumPy's `@`: the last axis of `left` against the last but one of `right`."""
        if not left.axes or not right.axes:
            raise ShapeError("@ needs tensors on both sides, got a scalar", at=at, remedy="write *")
        inner_place = max(len(right.axes) - 2, 0)
        if not left.axes[-1].fits(right.axes[inner_place]):
            raise ShapeError(
                f"@ cannot contract {show_axes(left.axes)} with {show_axes(right.axes)}: "
                f"{left.axes[-1]} is not {right.axes[inner_place]}",
                at=at,
                remedy="the last axis on the left must match the last but one on the right",
            )
        contracted = self.index(left.axes[-1])
        columns = right.axes[-1:] if len(right.axes) > 1 else ()
        rows = left.axes[-2:-1]
        batch = broadcast(left.axes[:-2], right.axes[:-2], "@", at)
        indices = tuple(self.index(a) for a in (*batch, *rows, *columns))
        stack, row = indices[: len(batch)], indices[len(batch) : len(batch) + len(rows)]
        column = indices[len(batch) + len(rows) :]
        left_body = self._stacked(left, batch, stack, (*row, contracted))
        right_body = self._stacked(right, batch, stack, (contracted, *column))
        product = Value((*batch, *rows, *columns), indices, left_body * right_body)
        return self.reduce(owner, "sum", product, (contracted,))

    def _stacked(self, value: Value, batch: Axes, stack: Sequence[sp.Symbol], last: Sequence[sp.Expr]) -> sp.Expr:
        own = len(value.axes) - len(last)
        chosen = zip(value.axes[:own], batch[len(batch) - own :], stack[len(stack) - own :], strict=True)
        places = [i if mine.fits(axis) else sp.Integer(0) for mine, axis, i in chosen]
        return value.at([*places, *last])


def broadcast(left: Axes, right: Axes, what: str, at: Position) -> Axes:
    """The axes of an entry-by-entry combination.

    NumPy's rule, except that tensors of different rank that would both have to grow, [n, 1] against
    [n] say, are refused: that is nearly always a slip.
    """
    longer, shorter = (left, right) if len(left) >= len(right) else (right, left)
    padded = (*(ONE,) * (len(longer) - len(shorter)), *shorter)
    axes = tuple(_wider(a, b) for a, b in zip(longer, padded, strict=True))
    known = tuple(axis for axis in axes if axis is not None)
    grows = len(known) == len(axes) and not _same(known, longer) and len(left) != len(right)
    if len(known) < len(axes) or (grows and shorter):
        raise ShapeError(
            f"{what} cannot combine {show_axes(left)} with {show_axes(right)}",
            at=at,
            remedy="axes are matched from the right and must be equal, or 1 in a tensor of the same rank",
        )
    return known


def _wider(a: Axis, b: Axis) -> Axis | None:
    if a.fits(b):
        return a if a.name else b
    if a.size == 1:
        return b
    return a if b.size == 1 else None


def _same(left: Axes, right: Axes) -> bool:
    return len(left) == len(right) and all(a.fits(b) for a, b in zip(left, right, strict=True))
