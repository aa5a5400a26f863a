"""The Hessian of a loss by tensors, block by block: (diag(p) - p pᵀ)/N by the logits of a softmax."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

from symgrad.calculus.axes import letters
from symgrad.calculus.simplify import simplify
from symgrad.calculus.simplifying.reuse import occurrences
from symgrad.calculus.terms import Entry
from symgrad.explain.curvature.block_forms import block_form
from symgrad.explain.curvature.named_factors import LETTERS, NamedFactors
from symgrad.explain.curvature.sums_of_products import MOST_PRODUCTS
from symgrad.explain.entry_formulas import length
from symgrad.explain.jacobians import jacobian_between
from symgrad.passes.further.second_order import slopes_behind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.calculus.program import Equation, Program
    from symgrad.explain.curvature.block_forms import BlockForm
    from symgrad.explain.jacobians import Jacobian


MOST_NODES = 100
"""Entries of a block with more nodes are read as a matrix or not at all."""


@dataclass(frozen=True)
class HessianBlock:
    """The second derivatives of the loss by two tensors: as a matrix, or its `entries` if these are short, or
    both."""

    first: str
    second: str
    entries: Jacobian
    form: BlockForm | None

    @property
    def has_short_entries(self) -> bool:
        return length(self.entries.value) <= MOST_NODES


@dataclass(frozen=True)
class LossHessian:
    """Blocks that are not 0, and those `too_long` to be written.

    `program` has the slopes of the loss, and the tensors that the matrices name, whose equations are `named`.
    """

    loss: str
    program: Program
    named: tuple[Equation, ...]
    blocks: tuple[HessianBlock, ...]
    too_long: tuple[tuple[str, str], ...]


def loss_hessian(primal: Program, by: Sequence[str]) -> LossHessian:
    """The blocks of the Hessian of the loss by these tensors, which are given."""
    program = simplify(replace(slopes_behind(primal, by), loss=None))
    pairs = tuple(combinations_with_replacement(by, 2))
    slopes = {pair: _derivatives_of_slope(program, *pair) for pair in pairs}
    found = {pair: slope for pair, slope in slopes.items() if slope is not None and slope.value != 0}
    names = NamedFactors(program)
    forms = {pair: block_form(pair[0], slope, names) for pair, slope in found.items()}
    used = {name for form in forms.values() if form is not None for name in form.used}
    named = tuple(e for e in names.program.equations[len(program.equations) :] if e.target in used)
    blocks = [HessianBlock(*pair, _in_names(found[pair], named), forms[pair]) for pair in found]
    written = tuple(b for b in blocks if b.form is not None or b.has_short_entries)
    known = {(b.first, b.second) for b in written} | {p for p, s in slopes.items() if s and s.value == 0}
    too_long = tuple(pair for pair in pairs if pair not in known)
    return LossHessian(str(primal.loss), names.program, named, written, too_long)


def _in_names(slope: Jacobian, named: Sequence[Equation]) -> Jacobian:
    """The same entries, with the names of functions and sums that they repeat."""
    value = slope.value
    for equation in named:
        if not equation.body.is_Mul:
            value = value.xreplace(occurrences(equation, value))
    return replace(slope, value=value)


def _derivatives_of_slope(program: Program, first: str, second: str) -> Jacobian | None:
    """How the slope of the loss by the first depends on the second; None where that is too long."""
    slope = next(g.name for g in program.gradients if g.of == first)
    inner = replace(
        program,
        tensors=tuple(
            replace(t, kind="temporary") if t.name in program.definition and t.name != slope else t
            for t in program.tensors
        ),
    )
    of = Entry(slope, letters(inner.tensor[slope].axes, {*inner.names, *LETTERS}))
    return jacobian_between(inner, of, inner.tensor[second], LETTERS, MOST_PRODUCTS)
