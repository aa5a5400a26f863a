"""The program with the samples of a batch as columns: every matrix of samples is transposed.

Nothing is derived anew: the same equations over tensors whose two axes stand in the other order, from which
the matrix form reads `Wᵀ·X + b` where it read `X·W + b`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.program import Equation, Program, Tensor, check
from symgrad.calculus.terms import Entry, entries

if TYPE_CHECKING:
    from collections.abc import Collection

    import sympy as sp


def with_samples_in_columns(program: Program) -> Program:
    """The same program, each matrix of samples transposed: tensors of two axes of which the first is free.

    Parameters keep their shape, and so do tensors of three and more axes. Rewrites are left as recorded.
    """
    turned = frozenset(t.name for t in program.tensors if is_matrix_of_samples(t))
    return check(
        replace(
            program,
            tensors=tuple(replace(t, axes=t.axes[::-1]) if t.name in turned else t for t in program.tensors),
            equations=tuple(_equation(e, turned) for e in program.equations),
        )
    )


def is_matrix_of_samples(tensor: Tensor) -> bool:
    """Whether its rows are samples: `[batch, 10]`."""
    return len(tensor.axes) == 2 and tensor.axes[0].is_free


def _equation(equation: Equation, turned: Collection[str]) -> Equation:
    indices = tuple(_expression(p, turned) for p in equation.indices)
    if equation.target in turned:
        indices = indices[::-1]
    return replace(equation, indices=indices, body=_expression(equation.body, turned))


def _expression(expr: sp.Expr, turned: Collection[str]) -> sp.Expr:
    return expr.xreplace({entry: _entry(entry, turned) for entry in entries(expr)})


def _entry(entry: Entry, turned: Collection[str]) -> Entry:
    indices = tuple(_expression(i, turned) for i in entry.indices)
    return Entry(entry.tensor, indices[::-1] if entry.tensor in turned else indices)
