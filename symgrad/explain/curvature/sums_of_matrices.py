"""Sums of products of Kronecker's, brought together: `A ⊗ (B − C)` for `A ⊗ B − A ⊗ C`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.notation.arrange import product, signed, total
from symgrad.notation.typesetting import typeset as ts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.explain.curvature.sums_of_products import Indices
    from symgrad.notation.scalar_writer import ScalarWriter
    from symgrad.notation.typesetting.typeset import Formula

Matrices: TypeAlias = "tuple[Formula, ...]"


@dataclass(frozen=True)
class MatrixTerm:
    """`coefficient · Σ_over numbers · (matrices, one after the other)`

    Indices of the same letter may run over data of different sizes, their `extents`.
    """

    coefficient: sp.Expr
    numbers: tuple[Formula, ...]
    matrices: tuple[Formula, ...]
    over: Indices
    extents: tuple[sp.Expr, ...]


def written_sum(terms: Sequence[MatrixTerm], writer: ScalarWriter) -> Formula:
    """The sum of terms, what differs in one matrix brought together there."""
    terms = list(terms)
    for place in reversed(range(len(terms[0].matrices))):
        terms = _brought_together(terms, place, writer)
    return _total([(t.coefficient, _written(t)) for t in terms], writer)


def _brought_together(terms: list[MatrixTerm], place: int, writer: ScalarWriter) -> list[MatrixTerm]:
    """One term for all that differ in the matrix at this place alone."""
    groups: dict[object, list[MatrixTerm]] = {}
    for term in terms:
        others = (*term.matrices[:place], *term.matrices[place + 1 :])
        groups.setdefault((term.numbers, others, term.over, term.extents), []).append(term)
    found = []
    for first, *more in groups.values():
        if not more:
            found.append(first)
            continue
        common = _common([t.coefficient for t in (first, *more)])
        inner = _total([(t.coefficient / common, t.matrices[place]) for t in (first, *more)], writer)
        matrices = (*first.matrices[:place], inner, *first.matrices[place + 1 :])
        found.append(replace(first, coefficient=common, matrices=matrices))
    return found


def _common(coefficients: list[sp.Expr]) -> sp.Expr:
    """What stands before the bracket: 1/N of 1/N and -1/N, also 1/N of 2/N and 1/N."""
    numbers, rests = zip(*(c.as_coeff_Mul() for c in coefficients), strict=True)
    if any(rest != rests[0] for rest in rests):
        return sp.Integer(1)
    sizes = {abs(number) for number in numbers}
    return rests[0] * (sizes.pop() if len(sizes) == 1 else 1)


def _total(terms: list[tuple[sp.Expr, Formula]], writer: ScalarWriter) -> Formula:
    found = [signed(writer.scaled(coefficient, formula)) for coefficient, formula in terms]
    return found[0][1] if len(found) == 1 and not found[0][0] else total(found)


def _written(term: MatrixTerm) -> Formula:
    whole = product("kronecker", term.matrices) if term.matrices else None
    factors = (*term.numbers, whole) if whole is not None else term.numbers
    body = product("numbers", factors)
    return ts.Reduced("sum", tuple(ts.NameText(str(i)) for i in term.over), body) if term.over else body
