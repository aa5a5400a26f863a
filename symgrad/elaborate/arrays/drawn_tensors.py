"""Numbers that a formula draws: a tensor of them, as large as what they are like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.elaborate.operands import scalar
from symgrad.errors import ShapeError
from symgrad.spec.expansion.steps.streams import STREAM
from symgrad.spec.language.builtins import LIKE

if TYPE_CHECKING:
    from collections.abc import Callable

    import sympy as sp

    from symgrad.elaborate.operands import EquationBuilder, Value
    from symgrad.elaborate.scope import Scope
    from symgrad.spec.language.syntax import Call, Node


def drawn(call: Call, scope: Scope, builder: EquationBuilder, value_of: Callable[[Node], Value]) -> Value:
    """A number for every entry of what the call says they are like, and for every index around it.

    Raises:
        ShapeError: neither says how many there are.
    """
    given = dict(call.keywords)
    stream: sp.Expr = value_of(given[STREAM]).body
    mark = builder.mark(scope.owner)
    like = value_of(given[LIKE]) if LIKE in given else scalar(stream)
    builder.forget(scope.owner, mark)
    if not (like.axes or scope.around):
        raise ShapeError(
            "nothing says how many numbers are drawn here",
            at=call.at,
            remedy='write like=x for a number for each entry of x, or indices: "e[n:batch, j:8]": normal()',
        )
    return builder.drawn(scope.owner, int(stream), scope.around, like)
