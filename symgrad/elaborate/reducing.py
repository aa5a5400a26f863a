"""Reductions: sum, mean, max, min and logsumexp over axes or over named indices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import show_axes
from symgrad.elaborate.operands import EquationBuilder, Value
from symgrad.elaborate.operations import SCALAR
from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.declared_ranges import bound_names, ranges_of
from symgrad.spec.language.definitions import defined
from symgrad.spec.language.syntax import Boolean, Call, Name, Negate, Node, Number
from symgrad.spec.language.unparse import unparse
from symgrad.spec.reductions import EXTREMA, REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.errors import Position


def check_keywords(call: Call) -> None:
    """Refuse a reduction of nothing, or with keywords other than axis and keepdims.

    Raises:
        SpecError: for these.
    """
    usage = f"write {call.function}(x, axis=-1, keepdims=true) or {call.function}(X[n,k], k)"
    known = ("axis", "keepdims", *(name for name, _ in ranges_of(call)))
    if unknown := [name for name, _ in call.keywords if name not in known]:
        raise SpecError(f"{call.function} has no argument '{unknown[0]}'", at=call.at, remedy=usage)
    if not call.arguments:
        raise SpecError(f"{call.function} needs something to reduce", at=call.at, remedy=usage)


def index_names(call: Call, taken: Sequence[str]) -> tuple[str, ...]:
    """The indices that `sum(X[n,k], n)` or `sum(X[n,k], n, k=2)` reduces over; `taken` are those around it.

    Raises:
        SpecError: an argument is no index, stands twice, or is an index around the call.
    """
    over = call.arguments[1:]
    others = [node for node in over if not isinstance(node, Name)]
    if others or len(call.keywords) > len(ranges_of(call)):
        raise SpecError(
            f"{call.function} reduces over index names or over axis=, not over formulas",
            at=(*others, *over, call)[0].at,
            remedy=_two_at_a_time(call) or f"write {call.function}(X[n,k], k) or {call.function}(x, axis=-1)",
        )
    names = bound_names(call)
    for name, at in ((name, place_of(call, name)) for name in names):
        if names.count(name) > 1 or name in taken:
            where = "stands twice" if name not in taken else "is already in use around this reduction"
            raise SpecError(f"the index '{name}' {where}", at=at, remedy="use another index name")
    return names


def _two_at_a_time(call: Call) -> str:
    """How `max(x, w, 0)` is written, with the largest of two in the largest of two."""
    if call.function not in EXTREMA or call.keywords:
        return ""
    *rest, inner = call.arguments
    for argument in reversed(rest):
        inner = Call(call.function, (argument, inner), (), call.at)
    return f"write {unparse(inner)}"


def place_of(call: Call, name: str) -> Position:
    """Where a reduction names an index, the last time."""
    positional = [node.at for node in call.arguments[1:] if isinstance(node, Name) and node.id == name]
    return [*positional, *(size.at for index, size in call.keywords if index == name)][-1]


def over_axes(call: Call, value: Value, owner: str, builder: EquationBuilder) -> Value:
    """`sum(x)`, `sum(x, axis=-1, keepdims=true)` and their like.

    Raises:
        SpecError: axis is no whole number, keepdims no truth value, or an entry X[n,k] all that is reduced.
        ShapeError: there is no such axis.
    """
    keywords = dict(call.keywords)
    over = _chosen(value, keywords.get("axis"), call)
    if not over and any(value.body.has(index) for index in builder.axis_of):
        raise SpecError(
            f"{call.function} of one entry, with no index to run over",
            at=call.at,
            remedy=f"name it, as in {call.function}(X[n,k], k); an index on the left is taken already",
        )
    return reduced(call, value, over, owner, builder, keepdims=_is_true(keywords.get("keepdims")))


def reduced(
    call: Call,
    value: Value,
    over: tuple[sp.Symbol, ...],
    owner: str,
    builder: EquationBuilder,
    *,
    keepdims: bool,
) -> Value:
    """The value reduced over some indices, as the row of the reduction says."""
    row = REDUCTIONS[call.function]
    each = _made_of(row.each, value, {}) if row.each != "x" else value
    found = builder.reduce(owner, row.kind, each, over, call.at, keepdims)
    return _made_of(row.total, found, {"n": sp.prod(builder.axis_of[i].extent for i in over)})


def _made_of(formula: str, value: Value, names: Mapping[str, sp.Expr]) -> Value:
    body = defined(formula, sp.sympify, SCALAR.__getitem__)({"x": value.body, **names})
    return Value(value.axes, value.indices, body)


def _is_true(node: Node | None) -> bool:
    if node is None or isinstance(node, Boolean):
        return node is not None and node.value
    raise SpecError("keepdims is true or false", at=node.at, remedy="write keepdims=true")


def _chosen(value: Value, axis: Node | None, call: Call) -> tuple[sp.Symbol, ...]:
    if axis is None:
        return value.indices
    sign, node = (-1, axis.operand) if isinstance(axis, Negate) else (1, axis)
    if not isinstance(node, Number) or node.value.denominator != 1:
        raise SpecError("axis must be a whole number", at=axis.at, remedy="write axis=-1 for the last axis")
    place, rank = sign * int(node.value), len(value.axes)
    if not rank:
        raise ShapeError(
            f"{call.function} over axis {place} of a scalar",
            at=axis.at,
            remedy="a scalar has no axes to reduce",
        )
    if not -rank <= place < rank:
        raise ShapeError(
            f"{call.function} over axis {place} of {show_axes(value.axes)}",
            at=axis.at,
            remedy=f"axes count from {-rank} to {rank - 1}",
        )
    return (value.indices[place],)
