"""onehot and spread: values that get more axes."""

from __future__ import annotations

import sympy as sp

from symgrad.calculus.axes import Axis, show_axes
from symgrad.calculus.terms import delta
from symgrad.elaborate.operands import EquationBuilder, Value
from symgrad.errors import Position, ShapeError


def onehot(value: Value, builder: EquationBuilder) -> Value:
    """Labels as rows of zeros and a one, or of zeros for an ignored label; numbers count as such rows."""
    labels = builder.labels(value)
    if labels is None:
        return value
    axis = Axis(None, labels.classes)
    index = builder.index(axis)
    body: sp.Expr = delta(value.body, index)
    if labels.ignore is not None:
        body *= 1 - delta(value.body, sp.Integer(labels.ignore))
    return Value((*value.axes, axis), (*value.indices, index), body)


def spread(value: Value, like: Value, builder: EquationBuilder, at: Position) -> Value:
    """One number for each leading entry of `like`, repeated along its further axes.

    Raises:
        SpecError: an operand holds integer labels.
        ShapeError: the axes of the value are not the leading ones of `like`.
    """
    builder.demand_numbers((value, like), "'spread'", at)
    pairs = list(zip(value.axes, like.axes, strict=False))
    if len(pairs) < len(value.axes) or not all(a.fits(b) or a.size == 1 for a, b in pairs):
        raise ShapeError(
            f"{show_axes(value.axes)} cannot be spread over {show_axes(like.axes)}",
            at=at,
            remedy=f"expected {show_axes(like.axes[:1])} or {show_axes(like.axes)}",
        )
    indices = tuple(builder.index(axis) for axis in like.axes)
    places = [i if a.fits(b) else sp.Integer(0) for (a, b), i in zip(pairs, indices, strict=False)]
    return Value(like.axes, indices, value.at(places))
