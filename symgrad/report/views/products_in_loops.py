"""Sums of products that no library's product of matrices serves: which, what they cost, and what would help.

A sum of products that uses every number many times is as fast as the machine only as a product of matrices.
What such a sum lacks to be one is told with what to write instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.contraction import as_product, is_plain
from symgrad.calculus.terms import Entry, float_entries
from symgrad.compiler.planning.plan import LoopNest
from symgrad.notation.equations import Writing
from symgrad.notation.typesetting.text import TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.calculus.axes import Axes
    from symgrad.calculus.program import Equation, Program
    from symgrad.compiler.planning.plan import Plan

LEAST_MULTIPLICATIONS = 2**18
"""Fewer are not worth a word: they take a tenth of a millisecond."""
LEAST_USES = 8
"""Where every number is used less often, a product of matrices waits for memory as loops do."""


@dataclass(frozen=True)
class ProductInLoops:
    """An equation as it is computed, how many multiplications it takes in a step, and what would help."""

    formula: str
    multiplications: int
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}; {self.remedy}"

    @property
    def problem(self) -> str:
        """What is told of it."""
        return f"{self.formula}: {self.multiplications:,} multiplications in loops, as no product of matrices"


def products_in_loops(plan: Plan, sizes: Mapping[str, int]) -> tuple[ProductInLoops, ...]:
    """The large sums of products of a step that are computed in loops, where free axes have these sizes.

    Where samples lie innermost, loops over these are meant, and none is told.
    """
    if plan.column_axis:
        return ()
    writing = Writing(plan.program, style=TEXT)
    known = plan.program.all_sizes(sizes)
    return tuple(
        ProductInLoops(writing.index(equation), number, _remedy(equation))
        for equation in _in_loops(plan)
        if (number := _worth_a_word(plan.program, equation, known))
    )


def may_have_some(program: Program, sizes: Mapping[str, int]) -> bool:
    """Whether a plan of the program may have some: a sum is large, and no single product of matrices."""
    known = program.all_sizes(sizes)
    sums = (e for e in program.equations if e.reduction == "sum" and as_product(e) is None)
    return any(_worth_a_word(program, equation, known) for equation in sums)


def _in_loops(plan: Plan) -> Iterator[Equation]:
    """Sums that are no product of a library."""
    nests = [step for phase in plan.phases for step in phase.steps if isinstance(step, LoopNest)]
    while nests:
        nest = nests.pop(0)
        nests += [part for part in nest.body if isinstance(part, LoopNest) and not nest.products]
        own = [part for part in nest.body if not isinstance(part, LoopNest) and not nest.products]
        yield from (equation for equation in own if equation.reduction == "sum")


def _worth_a_word(program: Program, equation: Equation, sizes: Mapping[str, int]) -> int:
    """The multiplications of a sum of products that uses its numbers often; 0 for any other."""
    read = {entry.tensor for entry in float_entries(equation.body)}

    def entries(axes: Axes) -> int:
        return prod(sizes[axis.name or ""] if axis.size is None else axis.size for axis in axes)

    number = entries(tuple(loop.axis for loop in equation.loops))
    touched = sum(entries(program.tensor[name].axes) for name in {*read, equation.target})
    is_large = number >= max(LEAST_MULTIPLICATIONS, LEAST_USES * touched)
    return number if len(read) > 1 and is_large else 0


def _remedy(equation: Equation) -> str:
    """What would make a product of matrices of it."""
    factors = [f for f in sp.Mul.make_args(equation.body) if f.atoms(Entry)]
    if any(not isinstance(factor, Entry) for factor in factors):
        return "give each of the two factors an equation of its own, in which nothing is summed"
    if len(factors) > 2:
        return "multiply two at a time: give the product or the sum over two of them an equation of its own"
    if equation.scatters or not all(map(is_plain, factors)):
        return (
            "write what is read at moving places as a tensor of its own first, X[n, i, u, c] = x[n, i + u, c]"
        )
    return "let axes that two of them share lie side by side, as in Q[n, i, h, d] = x[n, i, c]·W[c, h, d]"
