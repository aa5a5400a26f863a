"""Cotangents of single samples: the 1/N of a mean over the samples moves from the error to the gradients.

Where the loss is a mean over N samples, every cotangent of a batch carries the factor 1/N. Textbooks leave it
out there and write it before the sum that gives a parameter's gradient, `(1/N)·α·Bᵀ`. With B = N·dZ the
adjoint, being linear in the cotangents, keeps its form; only where it starts and where it ends does N appear.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.real import Piecewise
from symgrad.calculus.terms import entries

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.calculus.axes import Axis
    from symgrad.calculus.program import Equation, Program


def with_cotangents_per_sample(program: Program) -> Program | None:
    """The program with every cotangent of a batch multiplied by the number of samples, N.

    None where that does not take N out of them all: the loss is no mean over the samples.
    """
    scaled = cotangents_of_samples(program)
    axes = {program.tensor[name].axes[0] for name in scaled}
    if len(axes) != 1:
        return None
    samples = axes.pop()
    equations = tuple(_equation(e, scaled, samples) for e in program.equations)
    if any(samples.extent in e.body.free_symbols for e in equations if e.target in scaled):
        return None
    return replace(program, equations=equations)


def cotangents_of_samples(program: Program) -> frozenset[str]:
    """The cotangents that have a value for every sample."""
    found = (t for t in program.of_kind("cotangent") if t.axes and t.axes[0].is_free)
    return frozenset(t.name for t in found)


def _equation(equation: Equation, scaled: Collection[str], samples: Axis) -> Equation:
    held = [e for e in entries(equation.body) if e.tensor in scaled]
    start = equation.body.xreplace(dict.fromkeys(held, sp.Integer(0)))
    if equation.target not in scaled:
        return replace(equation, body=_times(_rest(equation.body, start), 1 / samples.extent) + start)
    if start == 0:
        return equation
    return replace(equation, body=_rest(equation.body, start) + _times(start, samples.extent))


def _rest(body: sp.Expr, start: sp.Expr) -> sp.Expr:
    """What the body owes to the cotangents in it, in which it is linear."""
    return body if start == 0 else body - start if start != body else sp.Integer(0)


def _times(expr: sp.Expr, factor: sp.Expr) -> sp.Expr:
    """The product, the factor brought to where it cancels: to each summand and each branch."""
    if expr.is_Add:
        return sp.Add(*(_times(term, factor) for term in expr.args))
    if isinstance(expr, sp.Piecewise):
        return Piecewise(*((_times(v, factor), c) for v, c in expr.args))
    return expr * factor
