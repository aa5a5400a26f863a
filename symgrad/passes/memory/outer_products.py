"""Products of a column and a row as what they are: entry by entry, in the pass that reads them.

`dA[n,j] = Σ_k dy[n,k]·W[j,k]` where k has one place, as behind a network's only output, has one product in
each entry. A library would write all of it to memory, for the next pass to read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.contraction import as_product
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation

if TYPE_CHECKING:
    from symgrad.calculus.program import Program


def with_outer_products(program: Program) -> Program:
    """The program whose products of one term are no sums."""
    editor = ProgramEditor(program)
    for equation in program.equations:
        editor.add(_without_sum(equation) if _is_outer(equation) else equation)
    return editor.program()


def _is_outer(equation: Equation) -> bool:
    return as_product(equation) is not None and all(loop.axis.size == 1 for loop in equation.bound)


def _without_sum(equation: Equation) -> Equation:
    body = equation.body.xreplace({loop.index: sp.Integer(0) for loop in equation.bound})
    return replace(equation, loops=equation.free, reduction="none", body=body)
