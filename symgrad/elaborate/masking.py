"""Arithmetic with what a mask hides, and rows of which it leaves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.masks import DataDecidesError, Masks
from symgrad.calculus.real import Piecewise
from symgrad.calculus.terms import is_infinite
from symgrad.errors import Position, SpecError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from symgrad.calculus.axes import Axis

PASSING = frozenset("+-*/")
"""Operators that compute with what a mask leaves, and leave -inf what it is."""


def passed_through(
    function: Callable[..., sp.Expr],
    operands: Sequence[sp.Expr],
    what: str,
    masks: Masks,
    at: Position,
    shown: frozenset[int] = frozenset(),
) -> sp.Expr:
    """`where(c, x, -inf) + y` as `where(c, x + y, -inf)`: nothing is computed with -inf.

    The operands at the places in `shown` are entries of what a condition around them says is not hidden.

    Raises:
        SpecError: the sign of -inf would depend on data, or two infinities meet.
    """
    found = ((n, masks.choice(operand)) for n, operand in enumerate(operands) if n not in shown)
    place, choice = next(((n, choice) for n, choice in found if choice is not None), (0, None))
    if choice is None:
        return function(*operands)
    cases = []
    for value, condition in choice.args:
        chosen = [*operands[:place], value, *operands[place + 1 :]]
        if is_infinite(value):
            result = _with_infinity(chosen, place, what, masks, at)
        else:
            inside = shown | {place} if value == operands[place] else shown
            result = passed_through(function, chosen, what, masks, at, inside)
        cases.append((result, condition))
    return Piecewise(*cases)


def _with_infinity(operands: Sequence[sp.Expr], place: int, what: str, masks: Masks, at: Position) -> sp.Expr:
    """What an operator makes of an infinite operand and any other."""
    infinity = operands[place]
    if len(operands) == 1:
        return -infinity
    other = operands[1 - place]
    hidden = masks.choice(other)
    ends = {value for value, _ in hidden.args if is_infinite(value)} if hidden is not None else set()
    if what in "+-" and (not ends or (what == "+" and ends == {infinity})):
        return -infinity if what == "-" and place == 1 else infinity
    scales = what == "*" or (what == "/" and place == 0)
    if scales and not ends and (other.is_positive or other.is_negative):
        return infinity if other.is_positive else -infinity
    raise SpecError(
        f"'{what}' of -inf and what may have either sign, be 0 or be infinite too",
        at=at,
        remedy="hide entries last: where(condition, formula, -inf)",
    )


def check_rows_shown(
    body: sp.Expr,
    axis_of: Mapping[sp.Symbol, Axis],
    over: Sequence[sp.Symbol],
    masks: Masks,
    at: Position,
) -> None:
    """Refuse a row of which a mask leaves nothing, as far as indices alone decide.

    Raises:
        SpecError: there is one.
    """
    if not masks.hides_some(body):
        return
    try:
        row = masks.hidden_row(body, axis_of, over)
    except DataDecidesError:
        return
    if row is not None:
        places = " and ".join(str(place) for place in row.values())
        where = f" where the other index is {places}" if len(row) == 1 else f" at {places}" if row else ""
        raise SpecError(
            f"a mask hides all that is reduced{where}",
            at=at,
            remedy="leave one entry in each row: j <= i hides what comes after i, and not i itself",
        )
