"""Which axes fit together: entry by entry, and under `@`."""

from __future__ import annotations

from symgrad.calculus.axes import Axes, Axis, show_axes
from symgrad.errors import Position, ShapeError

ONE = Axis(None, 1)


def check_matmul(left: Axes, right: Axes, at: Position) -> None:
    """Accept operands of `@` that have axes, those it contracts equal.

    Raises:
        ShapeError: for others.
    """
    if not left or not right:
        raise ShapeError(
            f"'@' needs axes on both sides, got {show_axes(left)} and {show_axes(right)}",
            at=at,
            remedy="write * for the product with a scalar",
        )
    inner = right[max(len(right) - 2, 0)]
    if not left[-1].is_alike(inner):
        raise ShapeError(
            f"'@' cannot contract {show_axes(left)} with {show_axes(right)}: {left[-1]} is not {inner}",
            at=at,
            remedy=_matmul_remedy(left, right),
        )


def _matmul_remedy(left: Axes, right: Axes) -> str:
    inner = right[max(len(right) - 2, 0)]
    if left[-1].fits(inner):
        return one_name(left[-1], inner)
    if len(right) > 1 and left[-1].fits(right[-1]):
        return _transposing(right, "right one: x @ W.T")
    if len(left) > 1 and len(right) > 1 and left[-2].fits(right[-2]):
        return _transposing(left, "left one: x.T @ W")
    return "the last axis on the left must be the last but one on the right"


def _transposing(axes: Axes, one: str) -> str:
    """How to exchange the last two of some axes: .T reverses all of them."""
    if len(axes) == 2:
        return f"transpose the {one}"
    letters = "ijklmnopqrstuvwxyz"[: len(axes)]
    exchanged = f"{letters[:-2]}{letters[-1]}{letters[-2]}"
    which = one.partition(":")[0]
    return f'exchange the last two axes of the {which}: "B[{",".join(exchanged)}]": A[{",".join(letters)}]'


def broadcast(left: Axes, right: Axes, what: str, at: Position, *, grows: bool = False) -> Axes:
    """The axes of an entry-by-entry combination.

    NumPy's rule, except that a column and a vector that would both have to grow, [n, 1] against [n] say,
    are refused unless `grows`: that is nearly always a slip.

    Raises:
        ShapeError: the axes do not fit together.
    """
    longer, shorter = (left, right) if len(left) >= len(right) else (right, left)
    padded = (*(ONE,) * (len(longer) - len(shorter)), *shorter)
    axes = tuple(_wider(a, b) for a, b in zip(longer, padded, strict=True))
    known = tuple(axis for axis in axes if axis is not None)
    both_grow = len(shorter) == 1 and len(longer) > 1 and not _same(known, longer)
    if len(known) < len(axes) or (both_grow and not grows):
        raise ShapeError(
            f"{what} cannot combine {show_axes(left)} with {show_axes(right)}",
            at=at,
            remedy=_broadcast_remedy(longer, padded),
        )
    return known


def one_name(a: Axis, b: Axis) -> str:
    """The remedy where two axes of one size stand for one another."""
    return f"'{a}' and '{b}' are two axes, if of one size: give them one name where they are one"


def first_of_last(axes: Axes) -> str:
    """What takes a last axis of one entry away: `[:, 0]`."""
    return f"[{', '.join([*(len(axes) - 1) * ':', '0'])}]"


def _broadcast_remedy(longer: Axes, padded: Axes) -> str:
    for a, b in zip(longer, padded, strict=True):
        if a.fits(b) and not a.is_alike(b):
            return one_name(a, b)
    if padded[0] is ONE and longer[-1].size == 1 and _same(longer[:-1], padded[1:]):
        return f"write {first_of_last(longer)} behind {show_axes(longer)}, or give both the same axes"
    keeps = "; keepdims=true keeps a reduced axis" if ONE in padded else ""
    return "axes are matched from the right and must be equal, or 1 in a tensor of the same rank" + keeps


def _wider(a: Axis, b: Axis) -> Axis | None:
    if a.is_alike(b):
        return a if a.name else b
    if a.size == 1:
        return b
    return a if b.size == 1 else None


def _same(left: Axes, right: Axes) -> bool:
    return len(left) == len(right) and all(a.fits(b) for a, b in zip(left, right, strict=True))
