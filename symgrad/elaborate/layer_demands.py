"""What layers demand of the sizes they are given, held against them as soon as these are known."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

from symgrad.calculus.axes import show_axes
from symgrad.errors import ShapeError
from symgrad.spec.language.sizes.size_forms import Whole, may_hold
from symgrad.spec.model import ShapeDemand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from symgrad.calculus.axes import Axes
    from symgrad.elaborate.formulas import Evaluator
    from symgrad.spec.model import SizeDemand

_HOLDS: Mapping[str, Callable[[Whole, Whole], bool]] = {
    "<": lambda a, b: may_hold(b - a - 1),
    "<=": lambda a, b: may_hold(b - a),
    ">": lambda a, b: may_hold(a - b - 1),
    ">=": lambda a, b: may_hold(a - b),
    "==": operator.eq,
    "!=": operator.ne,
}
"""Where only the data decides a size, a comparison holds if it does for data that are long enough."""


def check_demand(demand: ShapeDemand | SizeDemand, evaluator: Evaluator) -> None:
    """Refuse tensors that are not what a layer takes.

    Raises:
        ShapeError: with what it takes, and what it is given.
    """
    if isinstance(demand, ShapeDemand):
        axes = evaluator.builder.tensors[demand.tensor].axes
        _check_shape(demand, axes[1:] if demand.of_each_step else axes)
    else:
        _check_size(demand, evaluator)


def _check_shape(demand: ShapeDemand, axes: Axes) -> None:
    least = [name for name in demand.axes if name != "..."]
    if len(axes) == len(least) or (len(axes) > len(least) and "..." in demand.axes):
        return
    shown = show_axes(axes) if axes else "a scalar"
    count = f"{len(least)} {'axis' if len(least) == 1 else 'axes'}"
    remedy = f"give it a tensor of {'at least ' if '...' in demand.axes else ''}{count}"
    if "..." not in demand.axes and len(axes) > 1:
        remedy += f": reshape({demand.shown}, [{', '.join(demand.axes)}]), with their sizes"
    raise ShapeError(
        f"{demand.layer} takes [{', '.join(demand.axes)}], '{demand.shown}' is {shown}",
        at=demand.at,
        remedy=remedy,
    )


def _check_size(demand: SizeDemand, evaluator: Evaluator) -> None:
    what = f"a size in {demand.layer}"
    condition = demand.condition
    left, right = (evaluator.whole(side, what) for side in (condition.left, condition.right))
    if _HOLDS[condition.operator](left, right):
        return
    told = (p if isinstance(p, str) else _shown(evaluator.whole(p, what)) for p in demand.problem)
    raise ShapeError(f"{demand.layer}: {''.join(told)}", at=demand.at, remedy=demand.remedy)


def _shown(size: Whole) -> str:
    return f"{size:,}" if isinstance(size, int) else str(size)
