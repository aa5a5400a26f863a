"""What layers demand of the sizes they are given, held against them as soon as these are known."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from symgrad.calculus.axes import show_axes
from symgrad.errors import ShapeError
from symgrad.spec.model import ShapeDemand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from symgrad.calculus.axes import Axes
    from symgrad.elaborate.formulas import Evaluator
    from symgrad.spec.model import SizeDemand

_HOLDS: Mapping[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def check_demand(demand: ShapeDemand | SizeDemand, evaluator: Evaluator) -> None:
    """Refuse tensors that are not what a layer takes.

    Raises:
        ShapeError: with what it takes, and what it is given.
    """
    if isinstance(demand, ShapeDemand):
        _check_shape(demand, evaluator.builder.tensors[demand.tensor].axes)
    else:
        _check_size(demand, evaluator)


def _check_shape(demand: ShapeDemand, axes: Axes) -> None:
    least = [name for name in demand.axes if name != "..."]
    if len(axes) == len(least) or (len(axes) > len(least) and "..." in demand.axes):
        return
    shown = show_axes(axes) if axes else "a scalar"
    count = f"{len(least)} {'axis' if len(least) == 1 else 'axes'}"
    count = f"at least {count}" if "..." in demand.axes else count
    raise ShapeError(
        f"{demand.layer} takes [{', '.join(demand.axes)}], '{demand.tensor}' is {shown}",
        at=demand.at,
        remedy=f"give it a tensor of {count}",
    )


def _check_size(demand: SizeDemand, evaluator: Evaluator) -> None:
    what = f"a size in {demand.layer}"
    condition = demand.condition
    left, right = (evaluator.whole(side, what) for side in (condition.left, condition.right))
    if _HOLDS[condition.operator](left, right):
        return
    told = (part if isinstance(part, str) else f"{evaluator.whole(part, what):,}" for part in demand.problem)
    raise ShapeError(f"{demand.layer}: {''.join(told)}", at=demand.at, remedy=demand.remedy)
