"""Tensors under construction: a scalar body together with the axes its free indices run over."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.bounds import Bounds
from symgrad.calculus.domains import forgotten, kept_within
from symgrad.calculus.masks import Masks
from symgrad.calculus.program import Equation, Loop, Reduction, Tensor, canonical, with_places_told
from symgrad.calculus.terms import Entry, drawn, indices_in
from symgrad.elaborate.broadcasting import ONE, broadcast, check_matmul
from symgrad.elaborate.masking import PASSING, check_rows_shown, passed_through
from symgrad.errors import Position, SpecError
from symgrad.spec.taken_names import unused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from symgrad.calculus.axes import Axes, Axis


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


@dataclass(frozen=True)
class Labels:
    """Integer labels: the tensor that holds them, how many classes there are, the label that means none."""

    tensor: str
    classes: int
    ignore: int | None


def scalar(body: sp.Expr) -> Value:
    """A value without axes."""
    return Value((), (), body)


class EquationBuilder:
    """Collects the equations that building values calls for, and names them.

    `reserved` are names no temporary may take: those the spec gives to tensors defined later. `rows` is the
    axis of the rows that a module takes in batches, or empty. `said` are the names that the spec says itself,
    each with that: what is h there may be another tensor in training.
    """

    def __init__(
        self, reserved: Iterable[str] = (), rows: str = "", said: Mapping[str, str] | None = None
    ) -> None:
        self.reserved, self.rows, self.said = frozenset(reserved), rows, said or {}
        self.tensors: dict[str, Tensor] = {}
        self.equations: list[Equation] = []
        self.axis_of: dict[sp.Symbol, Axis] = {}
        self.hides = False
        self.unwritten: set[str] = set()
        """Tensors that stand for what a user wrote."""
        self.free_sizes: dict[str, sp.Symbol] = {}
        self._numbers = count()
        self._temporaries: dict[str, int] = {}
        self._order: dict[sp.Symbol, int] = {}
        self._drawn: dict[int, Tensor] = {}

    def index(self, axis: Axis) -> sp.Symbol:
        """A fresh index that runs over `axis`."""
        symbol = sp.Symbol(f"_{next(self._numbers)}", integer=True, nonnegative=True)
        self._order[symbol] = len(self.axis_of)
        self.axis_of[symbol] = axis
        return symbol

    def labels(self, value: Value) -> Labels | None:
        """What a value of integer labels holds, or None for numbers."""
        tensor = self.tensors.get(value.body.tensor) if isinstance(value.body, Entry) else None
        if tensor is None or tensor.classes is None:
            return None
        return Labels(tensor.name, tensor.classes, tensor.ignore)

    def demand_numbers(self, values: Iterable[Value], what: str, at: Position) -> None:
        """Refuse integer labels where numbers are computed with.

        Raises:
            SpecError: class 2 is not twice class 1.
        """
        for labels in filter(None, map(self.labels, values)):
            raise SpecError(
                f"{what} computes with numbers, '{labels.tensor}' holds integer labels",
                at=at,
                remedy=f"write onehot({labels.tensor}), or declare '{labels.tensor}' without classes",
            )

    def tensor_value(self, tensor: Tensor) -> Value:
        """All of a tensor."""
        indices = tuple(self.index(axis) for axis in tensor.axes)
        return Value(tensor.axes, indices, Entry(tensor.name, indices))

    def define(
        self,
        tensor: Tensor,
        indices: Sequence[sp.Symbol],
        body: sp.Expr,
        reduction: Reduction = "none",
        over: Sequence[sp.Symbol] = (),
    ) -> None:
        """Add `tensor[indices] = reduction over `over` of body`."""
        loops = tuple(Loop(i, self.axis_of[i]) for i in (*indices, *over))
        self.add(tensor, Equation(tensor.name, tuple(indices), loops, reduction, body))

    def add(self, tensor: Tensor, equation: Equation) -> None:
        """Add an equation that defines a tensor."""
        self.tensors[tensor.name] = tensor
        self.equations.append(canonical(with_places_told(equation, self.tensors)))

    def temporary(
        self, owner: str, value: Value, reduction: Reduction = "none", over: Sequence[sp.Symbol] = ()
    ) -> Value:
        """A temporary tensor that holds `value`, or its reduction over some of its indices.

        Indices of an index notation around the value become axes of the temporary.
        """
        outer = self._around(value, over)
        kept = [i for i in value.indices if i not in over]
        indices = (*outer, *kept)
        axes = tuple(self.axis_of[i] for i in indices)
        tensor = Tensor(self.unused(owner), axes, "temporary")
        self.define(tensor, indices, value.body, reduction, over)
        kept_axes = tuple(self.axis_of[i] for i in kept)
        return Value(kept_axes, tuple(kept), Entry(tensor.name, indices))

    def _around(self, value: Value, over: Sequence[sp.Symbol] = ()) -> list[sp.Symbol]:
        """The indices of an index notation around a value that it depends on."""
        return sorted(indices_in(value.body) - {*value.indices, *over}, key=self._order.__getitem__)

    def placed(self, owner: str, value: Value, axes: Axes, places: Sequence[sp.Expr]) -> Value:
        """A temporary tensor with the value's entries at places made of its indices, 0 elsewhere.

        No two entries may have one place.
        """
        outer = self._around(value)
        around = tuple(self.axis_of[i] for i in outer)
        tensor = Tensor(self.unused(owner), (*around, *axes), "temporary")
        loops = tuple(Loop(i, self.axis_of[i]) for i in (*outer, *value.indices))
        self.add(tensor, Equation(tensor.name, (*outer, *places), loops, "sum", value.body))
        indices = tuple(self.index(axis) for axis in axes)
        return Value(axes, indices, Entry(tensor.name, (*outer, *indices)))

    def drawn(self, owner: str, stream: int, around: Sequence[sp.Symbol], like: Value) -> Value:
        """A number of a stream for every entry of a value, and for all indices around it.

        A stream that is drawn from again, where an equation stands twice, gives the same tensor.
        """
        axes = (*(self.axis_of[i] for i in around), *like.axes)
        tensor = self._drawn.get(stream)
        if tensor is None:
            tensor = self._drawn[stream] = Tensor(self.fresh(f"{owner}_u"), axes, "value")
            places = tuple(map(self.index, axes))
            self.define(tensor, places, drawn(sp.Integer(stream), *places))
        indices = tuple(map(self.index, like.axes))
        return Value(like.axes, indices, Entry(tensor.name, (*around, *indices)))

    def unused(self, owner: str) -> str:
        """`owner_1`, `owner_2`, ...: the first that names nothing."""
        while True:
            self._temporaries[owner] = self._temporaries.get(owner, 0) + 1
            name = f"{owner}_{self._temporaries[owner]}"
            if name not in self.tensors and name not in self.reserved:
                return name

    def fresh(self, wanted: str) -> str:
        """`wanted`, or with a suffix: a name that no tensor bears, nor any that the spec defines later."""
        return unused(wanted, {*self.tensors, *self.reserved})

    def mark(self, owner: str) -> tuple[int, int]:
        """Where the definitions and the names of the owner's temporaries have got to."""
        return len(self.equations), self._temporaries.get(owner, 0)

    def forget(self, owner: str, mark: tuple[int, int]) -> None:
        """Take back the owner's temporaries defined since the mark: nothing needs them."""
        defined, self._temporaries[owner] = mark
        for equation in self.equations[defined:]:
            del self.tensors[equation.target]
        del self.equations[defined:]

    # Combining values -----------------------------------------------------------------------

    def combine(
        self, function: Callable[..., sp.Expr], values: Sequence[Value], what: str, at: Position
    ) -> Value:
        """`function` applied entry by entry, with broadcasting.

        Raises:
            SpecError: an operand holds integer labels.
            ShapeError: the operands do not fit together.
        """
        self.demand_numbers(values, f"'{what}'", at)
        axes = values[0].axes
        for value in values[1:]:
            axes = broadcast(axes, value.axes, f"'{what}'", at)
        indices = tuple(self.index(axis) for axis in axes)
        bodies = [self._aligned(value, axes, indices) for value in values]
        body = self._through_masks(function, bodies, what, at)
        if ends := forgotten(bodies, body):
            body = kept_within(body, ends, Bounds({e.target: e for e in self.equations}))
        return Value(axes, indices, body)

    def _through_masks(
        self, function: Callable[..., sp.Expr], bodies: Sequence[sp.Expr], what: str, at: Position
    ) -> sp.Expr:
        """`function` of what masks leave, so that nothing is computed with -inf."""
        if what not in PASSING or not self.hides:
            return function(*bodies)
        masks = Masks({e.target: e for e in self.equations})
        return passed_through(function, bodies, what, masks, at)

    def _aligned(self, value: Value, axes: Axes, indices: Sequence[sp.Symbol]) -> sp.Expr:
        skipped = len(axes) - len(value.axes)
        places = [
            index if mine.fits(axis) else sp.Integer(0)
            for mine, axis, index in zip(value.axes, axes[skipped:], indices[skipped:], strict=True)
        ]
        return value.at(places)

    def reduce(
        self,
        owner: str,
        reduction: Reduction,
        value: Value,
        over: Sequence[sp.Symbol],
        at: Position,
        keepdims: bool = False,
    ) -> Value:
        """Reduce a value over some of its indices, or over indices of an index notation.

        Raises:
            SpecError: the value holds integer labels.
        """
        self.demand_numbers([value], "a reduction", at)
        self._check_mask(reduction, value, over, at)
        is_choice = reduction in ("max", "min") and bool(over)
        if is_choice and all(self.axis_of[i].size == 1 for i in over):
            reduced = self._only_one(value, over)
        else:
            if reduction != "sum" and not isinstance(value.body, Entry):
                value = self.temporary(owner, self._with(value, over))
            reduced = self.temporary(owner, self._with(value, over), reduction, over)
        if not keepdims:
            return reduced
        axes = tuple(ONE if i in over else axis for i, axis in zip(value.indices, value.axes, strict=True))
        fresh = tuple(self.index(axis) for axis in axes)
        new = [f for f, i in zip(fresh, value.indices, strict=True) if i not in over]
        kept = dict(zip(reduced.indices, new, strict=True))
        return Value(axes, fresh, reduced.body.xreplace(kept))

    def _check_mask(
        self, reduction: Reduction, value: Value, over: Sequence[sp.Symbol], at: Position
    ) -> None:
        is_over_shown = reduction in ("max", "min", "logsumexp") or isinstance(value.body, sp.exp)
        if self.hides and is_over_shown:
            masks = Masks({e.target: e for e in self.equations})
            check_rows_shown(value.body, self.axis_of, over, masks, at)

    def _only_one(self, value: Value, over: Sequence[sp.Symbol]) -> Value:
        """The largest over axes of one entry each is that entry."""
        kept = [i for i in value.indices if i not in over]
        body = value.body.xreplace(dict.fromkeys(over, sp.Integer(0)))
        return Value(tuple(self.axis_of[i] for i in kept), tuple(kept), body)

    def _with(self, value: Value, over: Sequence[sp.Symbol]) -> Value:
        extra = tuple(i for i in over if i not in value.indices)
        axes = (*value.axes, *(self.axis_of[i] for i in extra))
        return Value(axes, (*value.indices, *extra), value.body)

    def matmul(self, owner: str, left: Value, right: Value, at: Position) -> Value:
        """NumPy's `@`: the last axis of `left` against the last but one of `right`.

        Raises:
            SpecError: an operand holds integer labels.
            ShapeError: a scalar, or axes that do not match.
        """
        self.demand_numbers((left, right), "'@'", at)
        check_matmul(left.axes, right.axes, at)
        contracted = self.index(left.axes[-1])
        rows, columns = left.axes[-2:-1], right.axes[-1:] if len(right.axes) > 1 else ()
        batch = broadcast(left.axes[:-2], right.axes[:-2], "the stacks of '@'", at, grows=True)
        indices = tuple(self.index(a) for a in (*batch, *rows, *columns))
        stack, row = indices[: len(batch)], indices[len(batch) : len(batch) + len(rows)]
        column = indices[len(batch) + len(rows) :]
        left_body = self._stacked(left, batch, stack, (*row, contracted))
        right_body = self._stacked(right, batch, stack, (contracted, *column))
        product = Value((*batch, *rows, *columns), indices, left_body * right_body)
        return self.reduce(owner, "sum", product, (contracted,), at)

    def _stacked(
        self, value: Value, batch: Axes, stack: Sequence[sp.Symbol], last: Sequence[sp.Expr]
    ) -> sp.Expr:
        own = len(value.axes) - len(last)
        chosen = zip(value.axes[:own], batch[len(batch) - own :], stack[len(stack) - own :], strict=True)
        places = [i if mine.fits(axis) else sp.Integer(0) for mine, axis, i in chosen]
        return value.at([*places, *last])
