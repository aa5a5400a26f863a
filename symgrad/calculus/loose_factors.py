"""Σ_j a·b_j as a·Σ_j b_j, in derivatives: what does not depend on the index stands before the sum.

So is the sum in the slope of a norm that of `dH ⊙ H`, as in books, and one multiplication stands outside its loop.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.terms import Entry, indices_in

if TYPE_CHECKING:
    from symgrad.calculus.program import Equation, Program


def take_out_loose_factors(program: Program) -> Program:
    """The program with entries that do not depend on what a derivative sums over before the sum."""
    editor = ProgramEditor(program)
    for equation in program.equations:
        loose = _loose(equation)
        if loose != 1 and program.tensor[equation.target].kind == "cotangent":
            axes = editor.tensors[equation.target].axes
            name = editor.new_tensor(f"{equation.target}_1", axes, "cotangent")
            inner = replace(equation, target=name, body=_without(equation.body, loose))
            editor.add(inner)
            body = loose * Entry(name, equation.indices)
            equation = replace(equation, loops=equation.free, reduction="none", body=body)
        editor.add(equation)
    return editor.program()


def _without(body: sp.Expr, loose: sp.Expr) -> sp.Expr:
    return sp.Mul(*(f for f in sp.Mul.make_args(body) if f not in sp.Mul.make_args(loose)))


def _loose(equation: Equation) -> sp.Expr:
    """The entries, and what is divided by, that a sum has in all its terms."""
    if equation.reduction != "sum" or equation.scatters:
        return sp.Integer(1)
    bound = {loop.index for loop in equation.bound}
    factors = sp.Mul.make_args(equation.body)
    loose = [f for f in factors if isinstance(f.as_base_exp()[0], Entry) and not bound & indices_in(f)]
    return sp.Mul(*loose) if len(loose) < len(factors) else sp.Integer(1)
