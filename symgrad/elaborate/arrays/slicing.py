"""Slices: `x[:, 1:, ::2]`, `x[:, ::-1]`, `h[:, -1]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import Axis, show_axes
from symgrad.calculus.terms import leading
from symgrad.elaborate.operands import EquationBuilder, Value
from symgrad.errors import ShapeError
from symgrad.spec.language.arrays.rearrangements import cut_of, entry_at
from symgrad.spec.language.sizes.whole_numbers import whole_number
from symgrad.spec.language.syntax import Index, Negate, Node, Number, Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FULL = (None, None, None)


def sliced(
    node: Index,
    value: Value,
    place_of: Callable[[Node, Axis], sp.Expr],
    builder: EquationBuilder,
    sizes: Mapping[str, int],
) -> Value:
    """The part of a value that slices, numbers and indices name; axes not mentioned are taken whole.

    `place_of` an index of a notation around it and its axis is a place.

    Raises:
        SpecError: an end or a step that is none.
        ShapeError: more of them than axes, or one that leaves its axis.
    """
    if len(node.indices) > len(value.axes):
        raise ShapeError(
            f"'{node.tensor}' is {show_axes(value.axes)}, too few axes for {len(node.indices)} indices",
            at=node.at,
            remedy="give one slice or number per axis",
        )
    rest = tuple(Slice(*FULL, node.at) for _ in value.axes[len(node.indices) :])
    axes: list[Axis] = []
    indices: list[sp.Symbol] = []
    places: list[sp.Expr] = []
    for item, axis in zip((*node.indices, *rest), value.axes, strict=True):
        if not isinstance(item, Slice):
            if _is_number(item):
                _refuse_rows(axis, item, node, builder)
            places.append(_entry(item, axis, node, sizes) if _is_number(item) else place_of(item, axis))
            continue
        new, start, step = axis, sp.Integer(0), 1
        if (item.start, item.stop, item.step) != FULL:
            _refuse_rows(axis, item, node, builder)
            cut = cut_of(item, axis.whole, f"an axis of '{node.tensor}'", sizes)
            is_all = (cut.start, cut.step, cut.count) == (0, 1, axis.whole)
            new, start, step = axis if is_all else Axis.of(cut.count), axis.place(cut.start), cut.step
        index = builder.index(new)
        axes.append(new)
        indices.append(index)
        places.append(index if new is axis else leading(start + step * index))
    return Value(tuple(axes), tuple(indices), value.at(places))


def _is_number(item: Node) -> bool:
    return isinstance(item, Number) or (isinstance(item, Negate) and isinstance(item.operand, Number))


def _entry(item: Node, axis: Axis, node: Index, sizes: Mapping[str, int]) -> sp.Expr:
    number = whole_number(item, "an index", sizes)
    return axis.place(entry_at(number, axis.whole, f"this axis of '{node.tensor}'", item.at))


def _refuse_rows(axis: Axis, item: Node, node: Index, builder: EquationBuilder) -> None:
    if axis.name == builder.rows != "":
        problem = f"this takes some rows of '{node.tensor}', but '{axis}' come in batches"
        raise ShapeError(problem, at=item.at, remedy="write : for all of them")
