"""reshape: the same entries in the same order, under other axes.

Old and new axes fall into groups of the same number of entries. An axis that becomes several is read at
`8*i + j`; several that become others are first put into one, as by flatten.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import Axis, show_axes
from symgrad.calculus.terms import leading
from symgrad.elaborate.operands import EquationBuilder, Value
from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.arrays.rearrangements import arguments_by_name, is_rest, listed, named_free
from symgrad.spec.language.sizes.whole_numbers import whole_number
from symgrad.spec.language.syntax import Name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from symgrad.calculus.axes import Axes
    from symgrad.spec.language.syntax import Call, Node


@dataclass(frozen=True)
class Group:
    """Places of old and of new axes that hold as many entries."""

    old: tuple[int, ...]
    new: tuple[int, ...]


def reshaped(
    call: Call,
    value_of: Callable[[Node], Value],
    free: Mapping[str, object],
    sizes: Mapping[str, int],
    owner: str,
    builder: EquationBuilder,
) -> Value:
    """The value of a call of reshape; `free` are the names of the axes whose sizes the data decides.

    Raises:
        SpecError: a size that is none.
        ShapeError: another number of entries.
    """
    given = arguments_by_name(call)
    value = value_of(given["x"])
    axes = _new_axes(call, value.axes, listed(call, given["shape"]), free, sizes)
    groups = _groups(call, value.axes, axes)
    whole = _in_one(value, groups, owner, builder, call)
    return _taken_apart(whole, axes, groups, builder)


def _new_axes(
    call: Call, old: Axes, items: Sequence[Node], free: Mapping[str, object], sizes: Mapping[str, int]
) -> Axes:
    rests = [item for item in items if is_rest(item)]
    if len(rests) > 1:
        raise SpecError("reshape: more than one size is -1", at=rests[1].at, remedy="say all sizes but one")
    axes: list[Axis | None] = []
    for item in items:
        if is_rest(item):
            axes.append(None)
            continue
        name = named_free(item, free)
        size = None if name is not None else whole_number(item, "reshape: a size", sizes)
        if size is not None and size < 1:
            raise SpecError(f"reshape: a size is {size}", at=item.at, remedy="expected 1 or more")
        axes.append(Axis(item.id if isinstance(item, Name) else None, size))
    known = math.prod(axis.size or 1 for axis in axes if axis is not None)
    entries = math.prod(axis.size or 1 for axis in old)
    if rests and entries % known:
        raise _other_number(call, old, f"{entries} entries are no multiple of {known}")
    return tuple(Axis(None, entries // known) if axis is None else axis for axis in axes)


def _groups(call: Call, old: Axes, new: Axes) -> list[Group]:
    groups: list[Group] = []
    i = j = 0
    while i < len(old) or j < len(new):
        start = i, j
        if _is_free(old, i) and _is_free(new, j) and old[i].fits(new[j]):
            i, j = i + 1, j + 1
        else:
            i, j = i + _is_sized(old, i), j + _is_sized(new, j)
            while (a := _entries(old[start[0] : i])) != (b := _entries(new[start[1] : j])):
                if a < b and _is_sized(old, i):
                    i += 1
                elif a > b and _is_sized(new, j):
                    j += 1
                else:
                    break
            if a != b or (i, j) == start:
                raise _other_number(call, old, f"{show_axes(new)} does not hold as many entries")
        groups.append(Group(tuple(range(start[0], i)), tuple(range(start[1], j))))
    return groups


def _other_number(call: Call, old: Axes, reason: str) -> ShapeError:
    remedy = "the product of the sizes stays, and so do axes without one, in their order"
    return ShapeError(f"reshape of {show_axes(old)}: {reason}", at=call.at, remedy=remedy)


def _is_free(axes: Axes, n: int) -> bool:
    return n < len(axes) and axes[n].is_free


def _is_sized(axes: Axes, n: int) -> bool:
    return n < len(axes) and not axes[n].is_free


def _entries(axes: Axes) -> int:
    return math.prod(axis.size or 1 for axis in axes)


def _in_one(value: Value, groups: Sequence[Group], owner: str, builder: EquationBuilder, call: Call) -> Value:
    """The value with one axis for each group; without a copy where none has two axes to join."""
    long = [[n for n in group.old if value.axes[n].size != 1] for group in groups]
    axes = tuple(
        value.axes[own[0]] if len(own) == 1 else Axis(None, _entries(tuple(value.axes[n] for n in own)))
        for own in long
    )
    if all(len(own) < 2 for own in long):
        indices = tuple(
            value.indices[own[0]] if own else builder.index(axis)
            for own, axis in zip(long, axes, strict=True)
        )
        ones = {i: sp.Integer(0) for i, axis in zip(value.indices, value.axes, strict=True) if axis.size == 1}
        return Value(axes, indices, value.body.xreplace(ones))
    builder.demand_numbers((value,), "'reshape'", call.at)
    places = [
        value.indices[own[0]]
        if len(own) == 1
        else leading(_merged([(value.axes[n], value.indices[n]) for n in own]))
        for own in long
    ]
    return builder.placed(owner, value, axes, places)


def _taken_apart(whole: Value, axes: Axes, groups: Sequence[Group], builder: EquationBuilder) -> Value:
    indices = tuple(builder.index(axis) for axis in axes)
    places: list[sp.Expr] = []
    for group, axis in zip(groups, whole.axes, strict=True):
        long = [n for n in group.new if axes[n].size != 1]
        is_same = len(long) == 1 and axes[long[0]].fits(axis)
        form = _merged([(axes[n], indices[n]) for n in long])
        places.append(indices[long[0]] if is_same else leading(form))
    return Value(axes, indices, whole.at(places))


def _merged(parts: Sequence[tuple[Axis, sp.Symbol]]) -> sp.Expr:
    """The place in one axis, the last of several running fastest."""
    form, stride = sp.Integer(0), 1
    for axis, index in reversed(parts):
        form += stride * index
        stride *= axis.size or 1
    return form
