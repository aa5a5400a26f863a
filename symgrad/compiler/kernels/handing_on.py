"""What recurrences hand from step to step, as instructions around and at the end of a loop over steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.program import Loop
from symgrad.calculus.terms import Entry
from symgrad.compiler.kernels.instructions import Assign, Compared, ForRange, Literal, Summed, Typed, When
from symgrad.compiler.planning.loop_orders import ROW, numbered_index
from symgrad.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from symgrad.calculus.program import Carried, Tensor
    from symgrad.compiler.kernels.loop_builder import LoopBuilder


def loops_beside(tensor: Tensor) -> tuple[Loop, ...]:
    """The loops over the entries that a carried tensor has at one step, of one part."""
    along = carried_of(tensor).along
    others = (axis for number, axis in enumerate(tensor.axes) if number != along and not axis.of_parts)
    return tuple(Loop(numbered_index(number), axis) for number, axis in enumerate(others))


def carried_of(tensor: Tensor) -> Carried:
    """How a tensor is carried.

    Raises:
        InternalError: it is not.
    """
    if tensor.carried is None:
        raise InternalError(f"{tensor.name} is carried from no step to another")
    return tensor.carried


def tensors_of(carried: Iterable[Tensor]) -> Iterator[str]:
    """The names of what is carried, and of what it is carried from."""
    for tensor in carried:
        yield from (tensor.name, *sorted(carried_of(tensor).reads))


def begin(tensor: Tensor, builder: LoopBuilder) -> None:
    """Write what a recurrence starts with, before its loop."""
    carried, loops = carried_of(tensor), loops_beside(tensor)
    axis = tensor.axes[carried.along]
    first = builder.term(axis) - 1 if carried.back else sp.Integer(0)
    others = _others(tensor)
    outside = builder.depth
    for loop in loops:
        builder.loop(loop)
    start = builder.entry(Entry(carried.start, others)) if carried.start else Typed(Literal(0))
    builder.put(Assign(builder.entry(Entry(tensor.name, _at(others, carried.along, first))), start))
    builder.close(outside)


def hand_on(tensor: Tensor, steps: Loop, builder: LoopBuilder) -> None:
    """Write what a step gives to the next one, if it is not the last: at its end, inside the loop."""
    carried, loops = carried_of(tensor), loops_beside(tensor)
    step, count = builder.indices[steps.index], builder.extent(steps)
    behind = Summed(((False, step), (False, Literal(1))))
    goes_on = Compared(Literal(0), "<", step) if carried.back else Compared(behind, "<", count)
    others = _others(tensor)
    outside = builder.depth
    builder.begin(When(goes_on, ()))
    for loop in loops:
        builder.loop(loop)
    following = steps.index - 1 if carried.back else steps.index + 1
    value = builder.entry(Entry(carried.source, _at(others, carried.along, steps.index)))
    builder.put(Assign(builder.entry(Entry(tensor.name, _at(others, carried.along, following))), value))
    builder.close(outside)


def loop_back(loop: Loop, builder: LoopBuilder) -> None:
    """Open a loop that runs from the last step to the first."""
    done = builder.fresh("done")
    builder.begin(ForRange(done, builder.extent(loop)))
    ends = ((False, builder.extent(loop)), (True, Literal(1)), (True, done))
    builder.put(Assign(builder.counter(loop), Summed(ends)))


def _others(tensor: Tensor) -> tuple[sp.Expr, ...]:
    """The indices of a carried tensor but that of its steps; its part is that of the loop around these."""
    along, loops = carried_of(tensor).along, iter(loops_beside(tensor))
    others = (axis for number, axis in enumerate(tensor.axes) if number != along)
    return tuple(ROW if axis.of_parts else next(loops).index for axis in others)


def _at(others: tuple[sp.Expr, ...], along: int, step: sp.Expr) -> tuple[sp.Expr, ...]:
    return (*others[:along], step, *others[along:])
