"""Roots that rows of data are divided by: 1 over each is computed once, and rows are multiplied by that.

A division takes as long as many products do. That by a root alone is taken out of loops over rows: roots lie
far from the ends of what numbers of a type can be, so that 1 over one of them keeps its digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation
from symgrad.calculus.terms import Entry, indices_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.calculus.program import Program

_HALF = sp.Rational(1, 2)


def with_inverse_roots(program: Program) -> Program:
    """The program whose equations over rows multiply by tensors that are 1 over the roots in them."""
    editor = ProgramEditor(program)
    known: dict[Equation, str] = {}
    for equation in program.equations:
        inverse = {}
        for power, root, times in _divisions(program, equation):
            loops = tuple(loop for loop in equation.loops if loop.index in indices_in(root))
            made = Equation("", tuple(loop.index for loop in loops), loops, "none", 1 / root)
            if made not in known:
                known[made] = editor.new_tensor(_name(root), tuple(loop.axis for loop in loops))
                editor.add(Equation(known[made], made.indices, loops, "none", made.body))
            inverse[power] = Entry(known[made], made.indices) ** times
        editor.add(equation.with_body(equation.body.xreplace(inverse)))
    return editor.program()


def _name(root: sp.Expr) -> str:
    return f"inverse_{root.tensor}" if isinstance(root, Entry) else "inverse_root"


def _divisions(program: Program, equation: Equation) -> Iterator[tuple[sp.Expr, sp.Expr, sp.Expr]]:
    """What an equation divides by that is a whole power of a root, which, and of which power.

    Roots are the same in all rows of data, and others in each of the entries that lie beside each other.
    """
    if equation.scatters or not equation.indices:
        return
    for power in sorted(equation.body.atoms(sp.Pow), key=str):
        base, exponent = power.as_base_exp()
        if exponent.is_number and exponent < 0 and (2 * exponent).is_odd and base.atoms(Entry):
            root, times = sp.sqrt(base), -2 * exponent
        elif isinstance(base, Entry) and exponent.is_Integer and exponent < 0 and _is_root(program, base):
            root, times = base, -exponent
        else:
            continue
        outside = [loop for loop in equation.loops if loop.index not in indices_in(root)]
        if equation.indices[-1] in indices_in(root) and any(loop.axis.is_free for loop in outside):
            yield power, root, times


def _is_root(program: Program, entry: Entry) -> bool:
    made = program.definition.get(entry.tensor)
    if made is None or not made.is_elementwise or made.scatters:
        return False
    return bool(made.body.is_Pow) and bool(made.body.exp == _HALF)
