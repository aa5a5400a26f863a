"""Deviations from a mean centred once more: e = g - Σ p·g, where Σ p is 1, is e - Σ p·e.

So it is in the slopes of softmax, p·(g - Σ p·g). Where one p is nearly 1, its g and the mean are nearly
equal: what is left of their difference is rounding, however small the slope is, and from layer to layer it
grows. The mean of all e is 0, so what is found for it is that rounding, and taking it away leaves a slope
with all its digits. It is the same with a plain mean, Σ g/n, in the slopes of var and std: where values
are nearly equal, their deviations all err alike by the rounding of the mean, and the slope of what lies below
sums them times numbers that are nearly equal too. The values of norms, as those of their formulas anywhere,
keep what the rounding of the mean leaves. A pass for computing only; what is shown stays the plain formula.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.real import with_parts
from symgrad.calculus.terms import Entry, delta, indices_in, shifted, with_indices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.calculus.program import Equation, Loop, Program


def centred_twice(program: Program) -> Program:
    """The program with the mean of every deviation from a mean of weights taken away from it."""
    return _Centring(program).program()


@dataclass(frozen=True)
class _Mean:
    """An equation that sums shares times values: weights that sum to 1, or 1 for each of a number of values.

    A tensor may be a `multiple` of that sum.
    """

    equation: Equation
    share: sp.Expr
    values: sp.Expr
    number: sp.Expr
    multiple: sp.Expr = sp.S.One

    @property
    def is_plain(self) -> bool:
        """Whether all values count alike."""
        return self.share is sp.S.One

    def values_at(self, total: Entry, loops: tuple[Loop, ...]) -> Iterator[sp.Expr]:
        """What the values are called where their sum is read in these loops."""
        own = dict(zip(self.equation.indices, total.indices, strict=True))
        free = [loop for loop in loops if loop.index not in indices_in(total)]
        bound = self.equation.bound
        for found in permutations(free, len(bound)):
            if all(loop.axis == over.axis for loop, over in zip(found, bound, strict=True)):
                indices = {over.index: loop.index for loop, over in zip(found, bound, strict=True)}
                yield with_indices(self.values, own | indices)


class _Centring:
    def __init__(self, program: Program) -> None:
        self.before, self.editor = program, ProgramEditor(program)
        self.means: dict[str, _Mean] = {}
        self.left: dict[str, str] = {}

    def program(self) -> Program:
        for equation in self.before.equations:
            mean = _mean(self.before, equation) or self._multiple_of_mean(equation)
            if mean is not None:
                self.means[equation.target] = mean
            elif self._may_deviate(equation) and not self.means.keys().isdisjoint(equation.reads):
                equation = equation.with_body(self._centred(equation.body, equation))
            self.editor.add(equation)
        return self.editor.program()

    def _is_slope(self, equation: Equation) -> bool:
        return self.before.tensor[equation.target].kind == "cotangent"

    def _may_deviate(self, equation: Equation) -> bool:
        return equation.is_elementwise or self._is_slope(equation)

    def _multiple_of_mean(self, equation: Equation) -> _Mean | None:
        """The mean that an equation gives another scale, Σ/n."""
        multiple, total = equation.body.as_independent(Entry, as_Add=False)
        if not isinstance(total, Entry) or not equation.is_elementwise or indices_in(multiple):
            return None
        mean = self.means.get(total.tensor)
        if mean is None or total.indices != equation.indices or equation.scatters:
            return None
        return replace(mean, multiple=mean.multiple * multiple)

    def _centred(self, expr: sp.Expr, equation: Equation) -> sp.Expr:
        if isinstance(expr, Entry | delta) or not expr.args:
            return expr
        expr = with_parts(expr, lambda part: self._centred(part, equation))
        for term in expr.args if expr.is_Add else ():
            factor, total = term.as_independent(Entry, as_Add=False)
            mean = self.means.get(total.tensor) if isinstance(total, Entry) else None
            if mean is not None and (self._is_slope(equation) or not mean.is_plain):
                scale, rest = -factor * mean.multiple * mean.number, expr - term
                if any(rest == scale * value for value in mean.values_at(total, equation.loops)):
                    return shifted(expr, scale * Entry(self._what_is_left(total.tensor), total.indices))
        return expr

    def _what_is_left(self, target: str) -> str:
        """The name of the mean of all deviations from the mean that a tensor is a multiple of."""
        if target not in self.left:
            mean, name = self.means[target], f"rounding_{target}"
            equation, number = mean.equation, mean.number
            read = Entry(target, equation.indices) / (mean.multiple * number)
            left = replace(equation, body=mean.share * (mean.values - read))
            if number != 1:
                loops = tuple(loop for loop in equation.loops if loop.index in equation.indices)
                total = Entry(self._define(f"{name}_1", left), equation.indices)
                left = replace(equation, loops=loops, reduction="none", body=total / number)
            self.left[target] = self._define(name, left)
        return self.left[target]

    def _define(self, wanted: str, equation: Equation) -> str:
        """The name that an equation like that of a mean has got."""
        tensor = self.before.tensor[equation.target]
        name = self.editor.new_tensor(wanted, tensor.axes, tensor.kind)
        self.editor.add(replace(equation, target=name))
        return name


def _mean(program: Program, equation: Equation) -> _Mean | None:
    """The equation as a mean of weights that sum to 1, or as a sum of values that all count alike."""
    if equation.reduction != "sum" or equation.scatters:
        return None
    for factor in sp.Mul.make_args(equation.body) if len(equation.bound) == 1 else ():
        if isinstance(factor, Entry) and _sums_to_one(program, factor, equation.bound[0].index):
            return _positive(_Mean(equation, factor, equation.body / factor, sp.S.One))
    if program.tensor[equation.target].kind == "cotangent":
        return None  # what slopes are centred by
    number = sp.Mul(*(loop.axis.extent for loop in equation.bound))
    return _positive(_Mean(equation, sp.S.One, equation.body, number))


def _positive(mean: _Mean) -> _Mean:
    """The mean, with a minus before its values left to what the tensor is of their sum."""
    if not mean.values.could_extract_minus_sign():
        return mean
    return replace(mean, values=-mean.values, multiple=-mean.multiple)


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
