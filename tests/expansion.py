"""Programs written out at small explicit sizes: one SymPy expression per entry, nothing tensor-like left.

SymPy's own derivative of the written-out loss is then an independent check of the derived gradients.
All entries are numbers but the one that is differentiated for, which keeps the expressions small.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import Entry, Named, delta, shifted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.axes import Axes
    from symgrad.calculus.program import Equation, Program

Cell = tuple[str, tuple[int, ...]]


def ranges(axes: Axes, sizes: Mapping[str, int]) -> list[range]:
    """The indices along each axis."""
    return [range(a.size if a.size is not None else sizes[str(a.name)]) for a in axes]


def arguments(program: Program, sizes: Mapping[str, int]) -> list[Cell]:
    """Every entry of the inputs, targets and parameters."""
    kinds = ("input", "target", "parameter")
    tensors = [t for t in program.tensors if t.kind in kinds]
    return [(t.name, place) for t in tensors for place in product(*ranges(t.axes, sizes))]


class Expansion:
    """The value of every entry of a program, where those of its arguments are `given`."""

    def __init__(self, program: Program, sizes: Mapping[str, int], given: Mapping[Cell, sp.Expr]) -> None:
        self.program, self.sizes = program, sizes
        self.values: dict[Cell, sp.Expr] = dict(given)
        for equation in program.equations:
            self.define(equation)

    def define(self, equation: Equation) -> None:
        terms: dict[tuple[int, ...], list[sp.Expr]] = {}
        axes = [loop.axis for loop in equation.loops]
        for numbers in product(*ranges(tuple(axes), self.sizes)):
            at = {loop.index: sp.Integer(n) for loop, n in zip(equation.loops, numbers, strict=True)}
            place = tuple(int(self.scalar(p.xreplace(at))) for p in equation.indices)
            terms.setdefault(place, []).append(self.scalar(equation.body.xreplace(at)))
        for place in product(*ranges(self.program.tensor[equation.target].axes, self.sizes)):
            self.values[equation.target, place] = self.reduced(equation, terms.get(place, [sp.Integer(0)]))

    def reduced(self, equation: Equation, terms: list[sp.Expr]) -> sp.Expr:
        match equation.reduction:
            case "max":
                return sp.Max(*terms)
            case "min":
                return sp.Min(*terms)
            case "logsumexp":
                return sp.log(sp.Add(*map(sp.exp, terms)))
        return sp.Add(*terms)

    def scalar(self, expr: sp.Expr) -> sp.Expr:
        if isinstance(expr, Entry):
            place = tuple(int(self.scalar(i)) for i in expr.indices)
            return self.values[expr.tensor, place]
        if isinstance(expr, delta):
            return sp.Integer(int(self.scalar(expr.args[0]) == self.scalar(expr.args[1])))
        if not expr.args:
            return self.extent(expr)
        arguments = [self.scalar(a) for a in expr.args]
        if isinstance(expr, shifted):
            return arguments[0] - arguments[1]
        if isinstance(expr, Named):
            return type(expr).formula(*arguments)
        return expr.func(*arguments)

    def extent(self, expr: sp.Expr) -> sp.Expr:
        if isinstance(expr, sp.Symbol) and expr.name in self.sizes:
            return sp.Integer(self.sizes[expr.name])
        return expr
