"""What the orders of loops share: how loops are called, which nests can be one, what never leaves them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.terms import Entry, entries, index_symbol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import sympy as sp

    from symgrad.calculus.program import Equation, Loop, Program
    from symgrad.compiler.planning.plan import LoopNest

ROW = index_symbol("_row")
STEP = index_symbol("_step")
"""Of a recurrence inside of a loop over its parts."""
AROUND = (ROW, STEP)


def numbered_index(number: int) -> sp.Symbol:
    """What the loops of a nest but that over rows are called."""
    return index_symbol(f"_i{number}")


def numbered(equation: Equation, around: Sequence[Loop], others: Sequence[Loop]) -> Equation:
    """The equation with the loops around it called as such, the first of them ROW, and the others by their
    numbers: those are shared.
    """
    renamed = {loop.index: numbered_index(number) for number, loop in enumerate(others)}
    renamed |= {loop.index: index for loop, index in zip(around, AROUND, strict=False)}
    return equation.renamed(renamed)


def run_alike(loops: Sequence[Loop], others: Sequence[Loop]) -> bool:
    """Whether loops are as many as others and as long, one by one."""
    return len(loops) == len(others) and all(a.axis.fits(b.axis) for a, b in zip(loops, others, strict=True))


def run_over(loops: Sequence[Loop], equation: Equation) -> Equation:
    """The equation in these loops, which run as its own of the same index, whatever their axes are called."""
    shared = {loop.index: loop for loop in loops}
    return replace(equation, loops=tuple(shared.get(loop.index, loop) for loop in equation.loops))


def with_locals(program: Program, nest: LoopNest) -> LoopNest:
    """The nest, told of the tensors that need no memory: made and used entry by entry in the same loops."""
    found: set[str] = set()
    for loops, equations in nest.parts():
        around, inside = {loop.index for loop in loops}, {e.target for e in equations}
        for equation in equations:
            is_made_whole = not equation.scatters and set(equation.indices) == around
            if is_made_whole and _stays_inside(program, equation.target, inside):
                found.add(equation.target)
    return replace(nest, local=frozenset(found))


def _stays_inside(program: Program, name: str, inside: Collection[str]) -> bool:
    """Whether nobody needs a tensor but the equations of these targets."""
    readers = {e.target for e in program.equations if name in e.reads}
    hidden = program.tensor[name].kind in ("value", "derivative", "temporary", "cotangent", "tangent")
    return hidden and name not in program.results and readers <= set(inside)


def entries_of(equations: Iterable[Equation]) -> Iterator[Entry]:
    """Every entry the equations read, those in indices too."""
    for equation in equations:
        yield from entries(equation.body)
        for index in equation.indices:
            yield from entries(index)
