"""Deviations from a weighted mean centred once more: e = g - Σ p·g, where Σ p is 1, is e - Σ p·e.

So it is in the slopes of softmax, p·(g - Σ p·g). Where one p is nearly 1, its g and the mean are nearly
equal: what is left of their difference is rounding, however small the slope is, and from layer to layer it
grows. The mean of all e is 0, so what is found for it is that rounding, and taking it away leaves a slope
with all its digits. A pass for computing only; what is shown stays the plain formula.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.real import with_parts
from symgrad.calculus.terms import Entry, delta, indices_in, shifted, with_indices

if TYPE_CHECKING:
    from symgrad.calculus.program import Equation, Loop, Program


def centred_twice(program: Program) -> Program:
    """The program with the mean of every deviation from a mean of weights taken away from it."""
    return _Centring(program).program()


@dataclass(frozen=True)
class _Mean:
    """An equation that sums shares times values, over one loop."""

    equation: Equation
    share: Entry
    values: sp.Expr

    @property
    def loop(self) -> Loop:
        return self.equation.bound[0]

    def is_deviation(self, factor: sp.Expr, rest: sp.Expr, at: tuple[sp.Expr, ...], index: sp.Expr) -> bool:
        """Whether factor·mean + rest is a multiple of what lies between the mean and a value, both there."""
        names = dict(zip((*self.equation.indices, self.loop.index), (*at, index), strict=True))
        return bool(rest == -factor * with_indices(self.values, names))


class _Centring:
    def __init__(self, program: Program) -> None:
        self.before, self.editor = program, ProgramEditor(program)
        self.means: dict[str, _Mean] = {}
        self.left: dict[str, str] = {}

    def program(self) -> Program:
        for equation in self.before.equations:
            mean = _mean(self.before, equation)
            if mean is not None:
                self.means[equation.target] = mean
            elif equation.is_elementwise and not self.means.keys().isdisjoint(equation.reads):
                equation = equation.with_body(self._centred(equation.body, equation.free))
            self.editor.add(equation)
        return self.editor.program()

    def _centred(self, expr: sp.Expr, loops: tuple[Loop, ...]) -> sp.Expr:
        if isinstance(expr, Entry | delta) or not expr.args:
            return expr
        expr = with_parts(expr, lambda part: self._centred(part, loops))
        for term in expr.args if expr.is_Add else ():
            factor, mean = term.as_coeff_Mul()
            if isinstance(mean, Entry) and mean.tensor in self.means:
                found, rest = self.means[mean.tensor], expr - term
                alike = (loop.index for loop in loops if loop.axis == found.loop.axis)
                if any(found.is_deviation(factor, rest, mean.indices, index) for index in alike):
                    return shifted(expr, factor * Entry(self._what_is_left(found), mean.indices))
        return expr

    def _what_is_left(self, mean: _Mean) -> str:
        """The name of the mean of all deviations from a mean."""
        equation = mean.equation
        if equation.target not in self.left:
            tensor = self.before.tensor[equation.target]
            name = self.editor.new_tensor(f"rounding_{equation.target}", tensor.axes, tensor.kind)
            deviation = Entry(equation.target, equation.indices) - mean.values
            self.editor.add(replace(equation, target=name, body=mean.share * deviation))
            self.left[equation.target] = name
        return self.left[equation.target]


def _mean(program: Program, equation: Equation) -> _Mean | None:
    """The equation as a mean of weights that sum to 1, if it is one."""
    if equation.reduction != "sum" or len(equation.bound) != 1 or equation.scatters:
        return None
    index = equation.bound[0].index
    for factor in sp.Mul.make_args(equation.body):
        if isinstance(factor, Entry) and _sums_to_one(program, factor, index):
            return _Mean(equation, factor, equation.body / factor)
    return None


def _sums_to_one(program: Program, entry: Entry, index: sp.Expr) -> bool:
    """Whether entries are parts of their own sum over an index: terms divided by their sum over it."""
    places = [n for n, place in enumerate(entry.indices) if index in indices_in(place)]
    definition = program.definition.get(entry.tensor)
    if len(places) != 1 or entry.indices[places[0]] != index or definition is None:
        return False
    if not definition.is_elementwise or definition.scatters:
        return False
    part = _but_for_none(definition.at(entry.indices), index)
    for factor in sp.Mul.make_args(part):
        total, term = 1 / factor, part / factor
        if isinstance(total, Entry) and index not in indices_in(total):
            return _is_sum(program, total, term, index)
    return False


def _but_for_none(part: sp.Expr, index: sp.Expr) -> sp.Expr:
    """What entries are where they are not all 0: to such, a sum of 0, it does not matter what is added."""
    branches = part.args if isinstance(part, sp.Piecewise) else ((part, sp.true),)
    others = [expr for expr, _ in branches if expr != 0]
    is_as_a_whole = not any(index in indices_in(condition) for _, condition in branches)
    return others[0] if len(others) == 1 and is_as_a_whole else sp.S.Zero


def _is_sum(program: Program, total: Entry, term: sp.Expr, index: sp.Expr) -> bool:
    """Whether the total is the sum of the terms over an index."""
    found = program.definition.get(total.tensor)
    if found is None or found.reduction != "sum" or len(found.bound) != 1 or found.scatters:
        return False
    names = dict(zip((*found.indices, found.bound[0].index), (*total.indices, index), strict=True))
    return bool(with_indices(found.body, names) == term)
