"""A derivative entry by entry as a sum of products: what each is made of, its deltas told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.calculus.terms import delta, indices_in
from symgrad.notation.matrix_writer import NoMatrixFormError
from symgrad.notation.reduce import Over

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Indices: TypeAlias = tuple[sp.Symbol, ...]
Legs: TypeAlias = "tuple[frozenset[sp.Symbol], frozenset[sp.Symbol]]"
Extents: TypeAlias = "Mapping[sp.Symbol, sp.Expr]"

MOST_PRODUCTS = 24
"""A sum of more products is nothing that people read."""


@dataclass(frozen=True)
class Summand:
    """`Σ_bound Π factors` at some row and column indices, 0 unless those agree that `links` have in pairs.

    Linked indices are one in the factors: that of the row.
    """

    factors: tuple[sp.Expr, ...]
    bound: Extents
    links: tuple[tuple[sp.Symbol, sp.Symbol], ...] = ()

    @property
    def groups(self) -> dict[frozenset[sp.Symbol], sp.Expr]:
        """The product of all factors that stand at the same indices, by these."""
        found: dict[frozenset[sp.Symbol], sp.Expr] = {}
        for factor in self.factors:
            at = indices_in(factor)
            found[at] = found.get(at, sp.Integer(1)) * factor
        return found

    def renamed(self, names: Mapping[sp.Symbol, sp.Expr]) -> Summand:
        """The same with other indices; those that become numbers are summed over no more."""
        bound = {names.get(i, i): extent for i, extent in self.bound.items()}
        kept = {i: extent for i, extent in bound.items() if isinstance(i, sp.Symbol)}
        links = tuple((names.get(row, row), names.get(column, column)) for row, column in self.links)
        return Summand(tuple(f.xreplace(dict(names)) for f in self.factors), kept, links)


def summands(
    value: sp.Expr, rows: Iterable[sp.Symbol], columns: Iterable[sp.Symbol], extents: Extents
) -> list[Summand]:
    """The products that a value at row and column indices is the sum of.

    Raises:
        NoMatrixFormError: a delta says more than that a row index is a column index.
    """
    legs = frozenset(rows), frozenset(columns)
    opened = _opened(value, legs)
    return [_counted(_linked(product, legs, extents)) for product in opened]


def _opened(value: sp.Expr, legs: Legs) -> list[Summand]:
    if isinstance(value, Over) and value.kind == "sum":
        over = dict(value.ranges)
        return [_joined(Summand((), over), inner) for inner in _opened(value.body, legs)]
    if value.is_Add and _must_be_opened(value, legs):
        found = [product for term in value.args for product in _opened(term, legs)]
    elif value.is_Mul:
        found = [Summand((), {})]
        for factor in value.args:
            parts = _opened(factor, legs)
            if len(found) * len(parts) > MOST_PRODUCTS:
                raise NoMatrixFormError
            found = [_joined(one, other) for one in found for other in parts]
    else:
        if value.has(Over):
            raise NoMatrixFormError
        found = [Summand((value,), {})]
    if len(found) > MOST_PRODUCTS:
        raise NoMatrixFormError
    return found


def _must_be_opened(total: sp.Expr, legs: Legs) -> bool:
    """Whether its terms stand at different places of the matrix: else it is a number at each."""
    at = indices_in(total)
    return bool(total.has(delta, Over) or all(at & side for side in legs) or len(at) > 2)


def _joined(one: Summand, other: Summand) -> Summand:
    """The product of both, the sums of the other over indices of their own."""
    taken = {*one.bound, *indices_in(sp.Tuple(*one.factors))}
    names = {i: sp.Dummy(str(i), integer=True, nonnegative=True) for i in other.bound if i in taken}
    other = other.renamed(names)
    return Summand((*one.factors, *other.factors), {**one.bound, **other.bound})


def _linked(product: Summand, legs: Legs, extents: Extents) -> Summand:
    """The product without deltas of two indices: one that is summed over takes the other's place."""
    rows, columns = legs
    for factor in product.factors:
        pair = _agreeing(factor)
        if pair is None:
            continue
        factors = list(product.factors)
        factors.remove(factor)
        rest = Summand(tuple(factors), product.bound, product.links)
        sizes = {**extents, **product.bound}
        if sizes.get(pair[0]) != sizes.get(pair[1]):
            raise NoMatrixFormError
        summed = next((i for i in pair if i in product.bound), None)
        if summed is not None:
            other = pair[pair[0] == summed]
            bound = {i: e for i, e in product.bound.items() if i != summed}
            renamed = tuple(f.xreplace({summed: other}) for f in rest.factors)
            return _linked(Summand(renamed, bound, rest.links), legs, extents)
        row, column = (next((i for i in pair if i in side), None) for side in (rows, columns))
        if row is None or column is None or any({row, column} & {*link} for link in product.links):
            raise NoMatrixFormError
        renamed = tuple(f.xreplace({column: row}) for f in rest.factors)
        return _linked(Summand(renamed, rest.bound, (*rest.links, (row, column))), legs, extents)
    return product


def _counted(product: Summand) -> Summand:
    """A sum over what nothing stands at is so many times the rest."""
    met = indices_in(sp.Tuple(*product.factors))
    times = [extent for i, extent in product.bound.items() if i not in met]
    bound = {i: extent for i, extent in product.bound.items() if i in met}
    return Summand((*product.factors, *times), bound, product.links)


def _agreeing(factor: sp.Expr) -> tuple[sp.Symbol, sp.Symbol] | None:
    """The two indices that a delta, or a power of one, lets agree."""
    base = factor.base if factor.is_Pow else factor
    if isinstance(base, delta) and all(isinstance(i, sp.Symbol) for i in base.args):
        return base.args[0], base.args[1]
    return None
