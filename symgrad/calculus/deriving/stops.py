"""stop_gradient(x) as what it computes, x, once every derivative is there that it keeps from x."""

from __future__ import annotations

from symgrad.calculus.editing import with_equations
from symgrad.calculus.program import Program
from symgrad.calculus.terms import stop_gradient


def without_stops(program: Program) -> Program:
    """The program with what is inside in place of each stop_gradient."""
    if not any(equation.body.has(stop_gradient) for equation in program.equations):
        return program
    equations = (e.with_body(e.body.replace(stop_gradient, lambda inner: inner)) for e in program.equations)
    return with_equations(program, equations)
