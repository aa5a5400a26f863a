"""Affine forms with whole numbers, `2*i + u`: what an index may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.syntax import Binary, Name, Negate, Node, Number

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_COEFFICIENT = 10**9
CHOOSE = "to choose by data or by chance, where(u[n] < 1/3, x[n,i], x[n,i+1])"
"""What to write in place of an index that is computed with such numbers."""


def affine_terms(node: Node) -> dict[str, int]:
    """Coefficients by index name; the constant stands under the empty name.

    Raises:
        SpecError: the form is not affine with whole numbers.
    """
    match node:
        case Name(name):
            return {name: 1}
        case Number(value) if value.denominator == 1 and abs(value) <= MAX_COEFFICIENT:
            return {"": int(value)}
        case Negate(operand):
            return _scaled(affine_terms(operand), -1)
        case Binary("+", left, right):
            return _added(affine_terms(left), affine_terms(right))
        case Binary("-", left, right):
            return _added(affine_terms(left), _scaled(affine_terms(right), -1))
        case Binary("*", left, right):
            a, b = affine_terms(left), affine_terms(right)
            if not a.keys() - {""}:
                return _scaled(b, a.get("", 0))
            if not b.keys() - {""}:
                return _scaled(a, b.get("", 0))
        case Binary(("//" | "%") as operator, left, right):
            a, b = affine_terms(left), affine_terms(right)
            if a.keys() == b.keys() == {""} and b[""]:
                return {"": a[""] // b[""] if operator == "//" else a[""] % b[""]}
    remedy = f"write X[n, 2*i + u], for example; {CHOOSE}"
    raise SpecError("an index must be affine with whole numbers", at=node.at, remedy=remedy)


def _scaled(terms: Mapping[str, int], factor: int) -> dict[str, int]:
    return {name: factor * value for name, value in terms.items()}


def _added(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {name: left.get(name, 0) + right.get(name, 0) for name in (*left, *right)}
