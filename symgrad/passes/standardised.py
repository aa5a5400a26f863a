"""Standardised values, as layer norm and batch norm have them, under names of their own, with their roots.

In `g·(x - μ)/√(v + ε) + b`, where v is a sum over the entries of x, the root is computed once for each sum,
and the quotient has a name: its derivative is then made of both, as books write it. Where the formula is
the quotient itself, only the root is named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Loop, Program
from symgrad.calculus.terms import Entry, delta, entries, indices_as_numbers, indices_in

if TYPE_CHECKING:
    from collections.abc import Iterator

HALF = sp.Rational(1, 2)


def with_standardised(program: Program) -> Program:
    """The program with names for roots of sums, and for what is divided by a root of its own sums."""
    naming = _Naming(program)
    for equation in program.equations:
        naming.add(equation)
    return naming.editor.program()


class _Naming:
    """The new program, and which tensors every tensor is made of."""

    def __init__(self, program: Program) -> None:
        self.editor = ProgramEditor(program)
        self.made_of: dict[str, frozenset[str]] = {}

    def add(self, equation: Equation) -> None:
        """The equation, behind the names it needs."""
        if equation.is_elementwise and not equation.scatters:
            for quotient in list(_quotients(equation.body)):
                equation = self._named(equation, quotient)
        self._add(equation)

    def _add(self, equation: Equation) -> None:
        below = (self.made_of.get(name, frozenset()) for name in equation.reads)
        self.made_of[equation.target] = equation.reads.union(*below)
        self.editor.add(equation)

    def _named(self, equation: Equation, quotient: sp.Expr) -> Equation:
        """The equation with names in place of one of its quotients and the roots in it."""
        for root in [f for f in quotient.args if _divides_by_root(f)]:
            above = self._standardised(equation, quotient, root.base)
            loops = _loops_of(equation, root.base)
            if above == 1 or len(loops) == len(equation.loops):
                continue
            name = self._define(f"sigma_{equation.target}", loops, sp.sqrt(root.base))
            divisor = Entry(name, [loop.index for loop in loops]) ** (2 * root.exp)
            value = above * divisor
            if above * root != equation.body and _loops_of(equation, above) == equation.loops:
                value = Entry(self._define(f"{equation.target}_hat", equation.free, value), equation.indices)
            changed = quotient / above / root * value
            equation = equation.with_body(equation.body.xreplace({quotient: changed}))
            quotient = changed
        return equation

    def _standardised(self, equation: Equation, quotient: sp.Expr, base: sp.Expr) -> sp.Expr:
        """The factor of a quotient that the sums under the root are made of; 1 where there is none."""
        sums = {e.tensor for e in entries(base)}
        below = frozenset[str]().union(*(self.made_of.get(name, frozenset()) for name in sums))
        found = [f for f in quotient.args if not f.is_Pow and below & {e.tensor for e in entries(f)} - sums]
        if len(found) != 1 or _loops_of(equation, found[0]) == _loops_of(equation, base):
            return sp.Integer(1)
        return found[0]

    def _define(self, wanted: str, loops: tuple[Loop, ...], body: sp.Expr) -> str:
        name = self.editor.new_tensor(wanted, tuple(loop.axis for loop in loops))
        self._add(Equation(name, tuple(loop.index for loop in loops), loops, "none", body))
        return name


def _quotients(expr: sp.Expr) -> Iterator[sp.Expr]:
    """The products in an expression that divide by a root of what is not a number, outside of choices."""
    if isinstance(expr, Entry | delta | sp.Piecewise) or not expr.has(sp.Pow):
        return
    if expr.is_Mul and any(map(_divides_by_root, expr.args)) and not indices_as_numbers(expr):
        yield expr
        return
    for part in expr.args:
        yield from _quotients(part)


def _divides_by_root(factor: sp.Expr) -> bool:
    return bool(factor.is_Pow and factor.exp == -HALF and factor.base.atoms(Entry))


def _loops_of(equation: Equation, expr: sp.Expr) -> tuple[Loop, ...]:
    """The loops of an equation whose indices stand in an expression."""
    inside = indices_in(expr)
    return tuple(loop for loop in equation.loops if loop.index in inside)
