"""The Hessian of a loss by the tensors that it reads, entry by entry: (diag(p) - p pᵀ)/N for a softmax."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

from symgrad.calculus.axes import letters
from symgrad.calculus.simplify import simplify
from symgrad.calculus.terms import Entry
from symgrad.explain.jacobians import jacobian_between
from symgrad.passes.further.second_order import slopes_behind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.calculus.program import Program
    from symgrad.explain.jacobians import Jacobian


def loss_hessians(primal: Program, read: Sequence[str]) -> tuple[Program, tuple[Jacobian, ...]]:
    """The program of the slopes of the loss by what it reads, and their derivatives, those that are short."""
    if primal.loss is None or not read:
        return primal, ()
    program = simplify(replace(slopes_behind(primal, read), loss=None))
    slopes = {g.of: g.name for g in program.gradients}
    found = []
    for first, second in combinations_with_replacement(read, 2):
        inner = replace(
            program,
            tensors=tuple(
                replace(t, kind="temporary")
                if t.name in program.definition and t.name != slopes[first]
                else t
                for t in program.tensors
            ),
        )
        axes = inner.tensor[slopes[first]].axes
        of = Entry(slopes[first], letters(axes, inner.size_names))
        jacobian = jacobian_between(inner, of, inner.tensor[second])
        if jacobian is not None and jacobian.value != 0:
            found.append(jacobian)
    return program, tuple(found)
