"""Equations as people write them: in matrix form where there is one, else in index form.

⊙, quotients, powers and functions act entry by entry; softmax and logsumexp along the last axis.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.convention import ROWS
from symgrad.notation.index_writer import IndexWriter
from symgrad.notation.matrix_writer import MatrixWriter, NoMatrixFormError
from symgrad.notation.text import Text
from symgrad.notation.typeset import Relation

if TYPE_CHECKING:
    from collections.abc import Collection

    import sympy as sp

    from symgrad.calculus.program import Equation, Program
    from symgrad.notation.style import Style
    from symgrad.notation.typeset import Formula


def matrix_form(
    equation: Equation, program: Program, style: Style | None = None, hidden: Collection[str] = ()
) -> str:
    """`dW1 = xᵀ·dZ1`; the index form where matrices cannot say it.

    Tensors in `hidden` are written out where they are used: see `display.hidden_tensors`.
    """
    try:
        return (style or Text()).spell(MatrixWriter(program, hidden).equation(equation))
    except NoMatrixFormError:
        return index_form(equation, program, style, hidden)


def index_form(
    equation: Equation, program: Program, style: Style | None = None, hidden: Collection[str] = ()
) -> str:
    """`dW1[j,i] = Σ_n x[n,j]·dZ1[n,i]`"""
    return (style or Text()).spell(IndexWriter(program, hidden).equation(equation))


def right_side(equation: Equation, program: Program, style: Style | None = None) -> str | None:
    """What stands right of the equality sign in matrix form; None where there is none."""
    formula = right_formula(equation, program)
    return (style or Text()).spell(formula) if formula is not None else None


def right_formula(equation: Equation, program: Program, hidden: Collection[str] = ()) -> Formula | None:
    """The right side in matrix form, before it is spelled."""
    try:
        return MatrixWriter(program, hidden).right_side(equation)
    except NoMatrixFormError:
        return None


def rewrite_form(before: sp.Expr, after: sp.Expr, program: Program, style: Style | None = None) -> str:
    """`1/(1 + exp(−Z[n,i])) → sigmoid(Z[n,i])`, always in the spec's own names and order of axes."""
    writer = IndexWriter(replace(program, convention=ROWS))
    return (style or Text()).spell(Relation(writer.write(before), "→", writer.write(after)))
