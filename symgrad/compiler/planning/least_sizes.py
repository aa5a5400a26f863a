"""How long free axes must be at least: a kernel of three entries needs three."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import room
from symgrad.calculus.terms import Entry
from symgrad.spec.language.sizes.size_forms import SizeForm, is_never_negative, least_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.calculus.program import Equation, Program
    from symgrad.spec.language.sizes.size_forms import Whole


def least_sizes(program: Program) -> Mapping[str, int]:
    """How long free axes must be at least, so that reads stay in tensors and none of these is empty."""
    found: dict[str, int] = {}
    for size in _demanded(program):
        if not is_never_negative(size) and (least := least_size(size, 0)) is not None:
            name, number = least
            found[name] = max(number, found.get(name, 1))
    return {name: number for name, number in found.items() if number > 1}


def _demanded(program: Program) -> Iterator[SizeForm]:
    """The sizes that must not be negative."""
    wholes = (form - 1 for form in program.derived_sizes.values())
    yield from (size for size in wholes if isinstance(size, SizeForm))
    for equation in program.equations:
        yield from (size for size in _rooms(program, equation) if isinstance(size, SizeForm))


def _rooms(program: Program, equation: Equation) -> Iterator[Whole]:
    loops = {loop.index: loop.axis for loop in equation.loops}
    for entry in equation.accesses:
        for index, axis in zip(entry.indices, program.tensor[entry.tensor].axes, strict=True):
            if not isinstance(index, sp.Symbol | Entry):
                yield from room(index, axis, loops, program.extents)
