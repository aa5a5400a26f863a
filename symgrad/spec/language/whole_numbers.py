"""Whole numbers in a spec: sizes, axes, and sums and multiples of such, `T - 1`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecError, did_you_mean
from symgrad.spec.language.affine import affine_terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.spec.language.syntax import Node


def whole_number(formula: Node, what: str, sizes: Mapping[str, int]) -> int:
    """The value of a formula of whole numbers and sizes by name; `what` says what it is of.

    Raises:
        SpecError: another formula, or a name that is no size.
    """
    try:
        terms = affine_terms(formula)
    except SpecError:
        problem = f"{what} is no whole number"
        raise SpecError(
            problem, at=formula.at, remedy="write a number or a size by name: 2, J, J - 1"
        ) from None
    for name in (term for term in terms if term and term not in sizes):
        remedy = did_you_mean(name, sizes) or f"write a whole number, or axes: {{{name}: 10}} above"
        raise SpecError(f"{what}: '{name}' is no size", at=formula.at, remedy=remedy)
    return sum(factor * (sizes[term] if term else 1) for term, factor in terms.items())
