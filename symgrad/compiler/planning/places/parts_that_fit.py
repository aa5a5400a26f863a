"""In how few parts recurrences let a step of training work in so much memory."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from symgrad.compiler.planning.residuals import memory_use
from symgrad.errors import SpecError
from symgrad.passes.memory.recurrent_parts import with_parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.calculus.program import Program
    from symgrad.compiler.planning.plan import Plan
    from symgrad.spec.model import Model, StepsAtOnce

_MEGABYTE = 10**6


def parts_that_fit(
    program: Program, model: Model, asked: StepsAtOnce, plan_of: Callable[[Program], Plan]
) -> int:
    """Of 1, 2, 4, 8 parts and so on the first number whose plan keeps to the memory asked for.

    Raises:
        SpecError: none does, or only the data say how much a step needs.
    """
    train, limit = model.spec.train, (asked.megabytes or 0) * _MEGABYTE
    rows = train.micro_batches.rows if train.micro_batches else train.batch_size
    others = [axis for axis in program.free_axes if str(axis) != model.batch_axis]
    if others or rows == "full":
        what = f"how long '{others[0]}' is" if others else "how many rows a batch has"
        problem = f"only the data say {what}, and so in how much memory a step works"
        raise SpecError(problem, at=asked.at, remedy="say that, or how many steps are computed at once")
    steps = max(program.tensor[name].axes[c.along].size or 1 for name, c in program.carried.items())
    needed, number = [], 1
    while number < 2 * steps:
        plan = plan_of(in_parts(program, number))
        sizes = plan.program.all_sizes({model.batch_axis: rows})
        needed.append(memory_use(plan, model.spec.dtype).workspace.of(sizes))
        if needed[-1] <= limit:
            return number
        number *= 2
    least = ceil(100 * min(needed) / _MEGABYTE) / 100
    problem = f"a step of {rows} rows works in {least:g} megabytes at least"
    raise SpecError(problem, at=asked.at, remedy="ask for as much, or for a smaller batch_size")


def in_parts(program: Program, number: int) -> Program:
    """The program whose recurrences are computed in so many parts."""
    return program if number == 1 else with_parts(program, lambda axis: -(-(axis.size or 1) // number))
