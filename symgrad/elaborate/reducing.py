"""Reductions: sum, mean, max, min and logsumexp over axes or over named indices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import show_axes
from symgrad.elaborate.operands import EquationBuilder, Value
from symgrad.elaborate.operations import SCALAR
from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.definitions import defined
from symgrad.spec.language.syntax import Boolean, Call, Name, Negate, Node, Number
from symgrad.spec.reductions import REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def check_keywords(call: Call) -> None:
    """Refuse a reduction of nothing, or with keywords other than axis and keepdims.

    Raises:
        SpecError: for these.
    """
    usage = f"write {call.function}(x, axis=-1, keepdims=true) or {call.function}(X[n,k], k)"
    if unknown := [name for name, _ in call.keywords if name not in ("axis", "keepdims")]:
        raise SpecError(f"{call.function} has no argument '{unknown[0]}'", at=call.at, remedy=usage)
    if not call.arguments:
        raise SpecError(f"{call.function} needs something to reduce", at=call.at, remedy=usage)


def index_names(call: Call, taken: Sequence[str]) -> tuple[str, ...]:
    """The indices that `sum(X[n,k], n, k)` reduces over; `taken` are the indices around it.

    Raises:
        SpecError: an argument is no index, stands twice, or is an index around the call.
    """
    names = []
    for node in call.arguments[1:]:
        if not isinstance(node, Name) or call.keywords:
            raise SpecError(
                f"{call.function} reduces over index names or over axis=, not over formulas",
                at=node.at,
                remedy=f"write {call.function}(X[n,k], k) or {call.function}(x, axis=-1)",
            )
        if node.id in names or node.id in taken:
            where = "stands twice" if node.id in names else "is already in use around this reduction"
            raise SpecError(f"the index '{node.id}' {where}", at=node.at, remedy="use another index name")
        names.append(node.id)
    return tuple(names)


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
