"""Differences of roots without cancellation: √(1 + v) - 1 is v/(√(1 + v) + 1), with all digits of a small v.

So is √(u + 1) - √u, for large u, 1/(√(u + 1) + √u): where the difference of the squares needs no subtraction,
and the sum below the line is never 0. A pass for computing only; what is shown stays the plain formula.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.editing import with_equations
from symgrad.calculus.real import with_parts
from symgrad.calculus.terms import Entry, delta

if TYPE_CHECKING:
    from symgrad.calculus.program import Program


def without_root_differences(program: Program) -> Program:
    """The program with its differences of roots as quotients."""
    return with_equations(program, (e.with_body(as_quotients(e.body)) for e in program.equations))


def as_quotients(expr: sp.Expr) -> sp.Expr:
    """The expression with its differences of roots as quotients; conditions stay as they are."""
    if not expr.has(sp.Pow) or isinstance(expr, Entry | delta):
        return expr
    expr = with_parts(expr, as_quotients)
    return _of_sum(expr) if expr.is_Add else expr


def _of_sum(expr: sp.Expr) -> sp.Expr:
    """a - b, each a number or a root, is (a² - b²)/(a + b)."""
    squares = {term: square for term in expr.args if (square := _square(term)) is not None}
    for first, second in permutations(squares, 2):
        if first.could_extract_minus_sign() or not second.could_extract_minus_sign():
            continue
        (number, rest), (other_number, other_rest) = squares[first], squares[second]
        is_rest = number == other_number and rest != other_rest and 0 in (rest, other_rest)
        if is_rest or (number != other_number and rest == other_rest != 0):
            above = rest - other_rest if is_rest else number - other_number
            return expr - first - second + above / (first - second)
    return expr


def _square(term: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """The square of a number, or of a number times a root: the number in it, and the rest."""
    if term.is_number:
        return term**2, sp.Integer(0)
    factor, root = term.as_coeff_Mul()
    if not root.is_Pow or root.exp != sp.Rational(1, 2):
        return None
    number, rest = root.base.as_coeff_Add()
    return factor**2 * number, factor**2 * rest
