"""Reductions within equations: what may stand before one, and how one is written inside another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import letters
from symgrad.calculus.program import Equation, Loop, Program
from symgrad.calculus.terms import Entry, indices_in

if TYPE_CHECKING:
    from collections.abc import Collection


def fixed_factor(equation: Equation) -> tuple[sp.Expr, sp.Expr]:
    """(c, body) with numbers and sizes taken out of a sum: -(Σ a)/N, not Σ -a/N."""
    if equation.reduction != "sum":
        return sp.Integer(1), equation.body
    factors = sp.Mul.make_args(equation.body)
    changing = [f for f in factors if f.atoms(Entry) or indices_in(f)]
    fixed = [f for f in factors if f not in changing]
    return (sp.Mul(*fixed), sp.Mul(*changing)) if changing else (sp.Integer(1), equation.body)


def instance(definition: Equation, indices: tuple[sp.Expr, ...], taken: Collection[str]) -> Equation:
    """The definition at an entry's indices, its reduced indices renamed to letters not yet taken."""
    new = letters([loop.axis for loop in definition.bound], taken)
    loops = tuple(Loop(index, loop.axis) for index, loop in zip(new, definition.bound, strict=True))
    renamed = {old.index: loop.index for old, loop in zip(definition.bound, loops, strict=True)}
    body = definition.body.xreplace({**renamed, **dict(zip(definition.indices, indices, strict=True))})
    return Equation(definition.target, (), loops, definition.reduction, body)


def merged_sums(equation: Equation, program: Program, hidden: Collection[str]) -> Equation:
    """One sum for a sum of a hidden sum: Σ_{n,i} a for Σ_n Σ_i a."""
    factor, body = fixed_factor(equation)
    is_sum = equation.reduction == "sum" and not equation.scatters
    if not (is_sum and isinstance(body, Entry) and body.tensor in hidden):
        return equation
    definition = program.definition[body.tensor]
    if definition.reduction != "sum" or definition.scatters:
        return equation
    taken = {*program.names, *(str(loop.index) for loop in equation.loops)}
    inner = instance(definition, body.indices, taken)
    merged = replace(equation, loops=(*equation.loops, *inner.loops), body=factor * inner.body)
    return merged_sums(merged, program, hidden)
