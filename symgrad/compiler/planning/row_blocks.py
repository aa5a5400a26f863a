"""Sums over many rows, formed a block of rows at a time, where numbers have few digits.

Each term of a sum is rounded to the digits that the sum has by then: of a million equal float32 numbers added
in order, two digits are right. A sum of the sums of blocks keeps five. An entry of memory that gathers
something of every row does so in memory of its own, which is added to it and cleared behind each block. What
is gathered in a variable is summed in double precision instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.compiler.planning.plan import LoopNest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.calculus.program import Equation, Loop
    from symgrad.compiler.planning.plan import Step

BLOCK_ROWS = 1024
"""About as many as there are blocks of a million rows: both sums are short then."""


def sums_in_blocks(step: Step, rows: str) -> Iterator[Equation]:
    """The equations of a nest over rows, an axis without a size, that sum over these entry by entry.

    So may nests in each part of a recurrence. What is scattered comes to each entry by chance.
    """
    if not isinstance(step, LoopNest) or not step.loops:
        return
    nests = step.body if step.loops[0].axis.of_parts else (step,)
    for nest in (nest for nest in nests if isinstance(nest, LoopNest)):
        own = nest.loops if nest is not step else nest.loops[:1]
        for equation in nest.equations:
            is_sum = equation.reduction == "sum" and not equation.scatters and bool(equation.indices)
            if is_sum and any(is_over(loop, rows) and loop in equation.bound for loop in own):
                yield equation


def is_over(loop: Loop, rows: str) -> bool:
    """Whether a loop is over this axis, and may be long."""
    return bool(rows) and loop.axis.is_free and loop.axis.name == rows
