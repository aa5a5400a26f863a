"""Fan-in and fan-out of a parameter: which of its axes a layer sums over, and which it gives its output.

The first equation that sums over an axis of the parameter decides. Fan-in is how many entries each output
sums: the product of the axes that are summed. Fan-out is how many outputs each entry of the input feeds:
the product of the axes that only the output has in common with the parameter, and of those that are summed
while they slide along another tensor, the `u` of `x[n,i+u,c] * W[u,c,k]`. A copy of a parameter, padded say,
is asked in its place. So a kernel `[5, 5, 6, 16]` has a
fan-in of 150 and a fan-out of 400, whatever the order of its axes. What no sum takes in, a bias or a table
of which rows are taken, has its first and its last size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.calculus.terms import Entry, entries, indices_in

if TYPE_CHECKING:
    from symgrad.calculus.program import Equation, Program, Tensor


@dataclass(frozen=True)
class Fans:
    """Entries summed by each output, and outputs fed by each entry of the input."""

    fan_in: int
    fan_out: int


def fans_of(parameter: Tensor, program: Program) -> Fans:
    """The fans of a parameter in the program that uses it."""
    for equation in program.equations:
        if _is_copy(equation, parameter, program):
            return fans_of(program.tensor[equation.target], program)
        found = [e for e in entries(equation.body) if e.tensor == parameter.name]
        sums = equation.reduction == "sum" and not equation.scatters
        summed = {loop.index for loop in equation.bound} if sums else set()
        for entry in found:
            if summed & set(entry.indices):
                return _in_sum(parameter, entry, equation)
    sizes = [axis.size or 1 for axis in parameter.axes] or [1]
    return Fans(sizes[0], sizes[-1])


def _is_copy(equation: Equation, parameter: Tensor, program: Program) -> bool:
    """Whether it only puts all entries of a parameter elsewhere: padded, or in another order."""
    body, target = equation.body, program.tensor[equation.target]
    if not isinstance(body, Entry) or body.tensor != parameter.name:
        return False
    if any(index.atoms(Entry) for index in body.indices):
        return False
    each = {loop.index for loop in equation.loops}
    return indices_in(body) == each and not any(axis.is_free for axis in target.axes)


def _in_sum(parameter: Tensor, entry: Entry, equation: Equation) -> Fans:
    bound = {loop.index for loop in equation.bound}
    free = {loop.index for loop in equation.free}
    others = [i for other in entries(equation.body) if other != entry for i in other.indices]
    alone = {index for index in others if index.is_Symbol}
    own = indices_in(entry)
    moved = (index.free_symbols for index in others if not index.is_Symbol)
    slide = {s for symbols in moved if symbols - own for s in symbols} - alone
    sizes = [(axis.size or 1, index) for axis, index in zip(parameter.axes, entry.indices, strict=True)]
    summed = [size for size, index in sizes if index in bound]
    fed = [
        size
        for size, index in sizes
        if index in bound & slide or (index.free_symbols <= free and not index.free_symbols <= alone)
    ]
    return Fans(math.prod(summed), math.prod(fed))
