"""What layers demand of the sizes they are given, held against them as soon as these are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.axes import show_axes
from symgrad.errors import ShapeError

if TYPE_CHECKING:
    from symgrad.calculus.axes import Axes
    from symgrad.spec.model import ShapeDemand


def check_shape(demand: ShapeDemand, axes: Axes) -> None:
    """Refuse a tensor of these axes where a layer takes another number of them.

    Raises:
        ShapeError: with both.
    """
    least = [name for name in demand.axes if name != "..."]
    fits = len(axes) == len(least) or (len(axes) > len(least) and "..." in demand.axes)
    if fits:
        return
    problem = f"{demand.layer} takes [{', '.join(demand.axes)}], {_shown(demand.tensor, axes)}"
    raise ShapeError(problem, at=demand.at, remedy=_remedy(demand))


def _shown(tensor: str, axes: Axes) -> str:
    return f"'{tensor}' is {show_axes(axes)}" if axes else f"'{tensor}' is a scalar"


def _remedy(demand: ShapeDemand) -> str:
    return f"give it a tensor such as [{', '.join(n for n in demand.axes if n != '...')}]"
