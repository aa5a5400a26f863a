"""Sums of exact differences over the samples of a batch, taken apart so that their loops are vectorised.

A difference that must be formed first forbids to regroup the sum it stands in, and a sum in order is computed
one sample after the other. So the summands are computed first, all at a time, and then added.
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Program
from symgrad.calculus.terms import Entry, shifted


def loop_fission(program: Program, rows: str) -> Program:
    """The program that computes one number for each sample where it summed differences over the samples."""
    editor = ProgramEditor(program)
    for equation in program.equations:
        if _sums_differences(equation, rows):
            (sample,) = equation.loops
            name = editor.new_tensor(f"{equation.target}_n", (sample.axis,), "value")
            indices = (sample.index,)
            editor.add(Equation(name, indices, (sample,), "none", equation.body))
            equation = replace(equation, body=Entry(name, indices))  # what is left of it
        editor.add(equation)
    return editor.program()


def _sums_differences(equation: Equation, rows: str) -> bool:
    is_sum = not equation.indices and equation.reduction == "sum"
    over_samples = [loop.axis.is_free and loop.axis.name == rows for loop in equation.loops]
    return is_sum and over_samples == [True] and adds_to_a_difference(equation.body)


def adds_to_a_difference(expr: sp.Expr) -> bool:
    """Whether a difference that must be formed first stands in a sum, not alone under exp."""
    if isinstance(expr, sp.exp) and isinstance(expr.args[0], shifted):
        return False
    return isinstance(expr, shifted) or any(map(adds_to_a_difference, expr.args))
