"""Recognition of contractions: which equations are a product of two matrices, and how they are laid out."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.calculus.terms import Entry

if TYPE_CHECKING:
    from symgrad.calculus.program import Equation

Group: TypeAlias = tuple[sp.Symbol, ...]


@dataclass(frozen=True)
class Contraction:
    """`target = factor Σ_inner left·right`; every tensor's indices are batch + two of the three groups.

    `left_transposed` says that the left tensor stands as [batch, inner, rows], `right_transposed` that the
    right one stands as [batch, columns, inner].
    """

    factor: sp.Expr
    left: str
    right: str
    batch: Group
    rows: Group
    inner: Group
    columns: Group
    left_transposed: bool
    right_transposed: bool


def as_contraction(equation: Equation) -> Contraction | None:
    """The contraction an equation is, or None; it sums over something."""
    if equation.scatters:
        return None
    found = two_factors(equation)
    if found is None or not (is_plain(found[1]) and is_plain(found[2])):
        return None
    factor, first, second = found
    inner = tuple(loop.index for loop in equation.bound)
    if not inner or not set(inner) <= set(first.indices) or not set(inner) <= set(second.indices):
        return None
    return _arranged(equation, first, second, factor) or _arranged(equation, second, first, factor)


def two_factors(equation: Equation) -> tuple[sp.Expr, Entry, Entry] | None:
    """What a sum of products has outside it, and the two entries that are multiplied; None for other sums."""
    if equation.reduction != "sum":
        return None
    factors = sp.Mul.make_args(equation.body)
    matrices = [f for f in factors if isinstance(f, Entry) and f.indices]
    rest = [f for f in factors if not (isinstance(f, Entry) and f.indices)]
    if len(matrices) != 2 or any(f.atoms(Entry) or f.free_symbols & _indices(equation) for f in rest):
        return None
    first, second = matrices
    return sp.Mul(*rest), first, second


def as_product(equation: Equation) -> Contraction | None:
    """The contraction that is one product of a matrix with a matrix or a vector, or None."""
    found = as_contraction(equation)
    return found if found is not None and not found.batch and (found.rows or found.columns) else None


@dataclass(frozen=True)
class StackedProduct:
    """`target = factor Σ left·right`: a product of two matrices for each place along the other indices.

    The matrix of the target is [rows, columns]. Every tensor's last index is one of its matrix: that has no
    gaps in one direction, so that libraries take it as it lies. Where it `skips_zeros`, an entry of the left
    matrix that is exactly 0 adds nothing, whatever it is multiplied by.
    """

    factor: sp.Expr
    left: Entry
    right: Entry
    rows: sp.Symbol
    inner: sp.Symbol
    columns: sp.Symbol
    skips_zeros: bool = False

    @property
    def matrix(self) -> frozenset[sp.Symbol]:
        """The indices that are no places of the stack."""
        return frozenset((self.rows, self.inner, self.columns))

    def is_transposed(self, entry: Entry) -> bool:
        """Whether a factor stands as [inner, rows], or as [columns, inner]."""
        first, second = (i for i in entry.indices if i in self.matrix)
        return (first, second) not in ((self.rows, self.inner), (self.inner, self.columns))


def as_stacked_product(equation: Equation, around: sp.Symbol) -> StackedProduct | None:
    """The largest products of matrices that an equation is made of, in loops `around` among others; or None.

    Where the loops are over more than places of the target, the products of some places are added.
    """
    equation, skipped = _without_skipped(equation)
    found = None if equation.scatters else two_factors(equation)
    if found is None or not equation.indices or not (is_plain(found[1]) and is_plain(found[2])):
        return None
    factor, *both = found
    columns = equation.indices[-1]
    right = next((entry for entry in both if columns in entry.indices), None)
    if right is None:  # every column is the same
        return None
    left = both[1] if right is both[0] else both[0]
    if skipped not in (None, left):
        return None
    rows = [i for i in equation.indices if i in left.indices and i not in right.indices]
    inner = [loop.index for loop in equation.bound if all(loop.index in e.indices for e in both)]
    possible = [
        StackedProduct(factor, left, right, row, sum_, columns, skipped is not None)
        for row, sum_ in product(rows, inner)
        if around not in (row, sum_, columns) and columns not in left.indices
    ]
    size = {loop.index: loop.axis.size or sys.maxsize for loop in equation.loops}
    fitting = [p for p in possible if all(entry.indices[-1] in p.matrix for entry in both)]
    return max(fitting, key=lambda p: prod(size[i] for i in p.matrix), default=None)


def _without_skipped(equation: Equation) -> tuple[Equation, Entry | None]:
    """The sum of products without the choice that leaves out those with a factor 0; and this factor."""
    body = equation.body
    if isinstance(body, sp.Piecewise) and len(body.args) == 2:
        (value, test), (product_, _) = body.args
        if value == 0 and isinstance(test, sp.Eq) and test.rhs == 0 and isinstance(test.lhs, Entry):
            return equation.with_body(product_), test.lhs
    return equation, None


def _indices(equation: Equation) -> set[sp.Symbol]:
    return {loop.index for loop in equation.loops}


def is_plain(entry: Entry) -> bool:
    """Whether an entry's indices are loop indices, all different."""
    symbols = [i for i in entry.indices if isinstance(i, sp.Symbol)]
    return len(symbols) == len(entry.indices) == len(set(symbols))


def _arranged(equation: Equation, left: Entry, right: Entry, factor: sp.Expr) -> Contraction | None:
    """The contraction with this order of the factors, if the target is [batch, rows, columns]."""
    indices = tuple(equation.indices)
    inner_set = {loop.index for loop in equation.bound}
    batch = tuple(p for p in indices if p in left.indices and p in right.indices)
    rows = tuple(p for p in indices if p in left.indices and p not in batch)
    columns = tuple(p for p in indices if p in right.indices and p not in batch)
    if indices != (*batch, *rows, *columns) or {*left.indices, *right.indices} != {*indices, *inner_set}:
        return None
    inner = tuple(i for i in left.indices if i in inner_set)
    if inner != tuple(i for i in right.indices if i in inner_set):
        return None
    left_transposed = _is_transposed(left, batch, rows, inner)
    right_transposed = _is_transposed(right, batch, inner, columns)
    if left_transposed is None or right_transposed is None:
        return None
    return Contraction(
        factor, left.tensor, right.tensor, batch, rows, inner, columns, left_transposed, right_transposed
    )


def _is_transposed(entry: Entry, batch: Group, first: Group, second: Group) -> bool | None:
    """Whether the entry's indices are [batch, second, first]; None where they are in neither order."""
    if entry.indices == (*batch, *first, *second):
        return False
    return True if entry.indices == (*batch, *second, *first) else None
