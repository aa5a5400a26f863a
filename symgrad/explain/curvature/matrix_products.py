"""What a graph of factors is as matrices: a chain from a row to a column, `W·diag(p[n])·Wᵀ`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import indices_in
from symgrad.notation.arrange import ONE, product, transposed
from symgrad.notation.matrix_writer import MatrixWriter, NoMatrixFormError
from symgrad.notation.typesetting import typeset as ts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.calculus.axes import Axis
    from symgrad.calculus.terms import Entry
    from symgrad.explain.curvature.factor_graphs import FactorGraph
    from symgrad.explain.curvature.named_factors import NamedFactors
    from symgrad.notation.typesetting.typeset import Formula

ALL = ts.NameText(":")


@dataclass
class MatrixProducts:
    """Writes the parts of a graph, indices that are seen by their `letters`; `used` are the tensors in it."""

    graph: FactorGraph
    names: NamedFactors
    axis_of: Mapping[sp.Symbol, Axis]
    letters: Mapping[sp.Symbol, sp.Symbol]
    used: set[str] = field(default_factory=set)

    def coefficient(self) -> sp.Expr:
        """What stands before the product for any index."""
        return sp.Mul(*(f for f in self.graph.numbers if not indices_in(f)))

    def numbers(self) -> tuple[Formula, ...]:
        """What has a value for each index that is seen."""
        return tuple(self._placed(f, ()) for f in self.graph.numbers if indices_in(f))

    def matrix(self, row: sp.Symbol | None, column: sp.Symbol | None) -> Formula:
        """The part of the nodes of a row and a column: a matrix, or a column, or a row."""
        if row is not None and column is not None:
            way = self.graph.way(row, column)
            if way is not None:
                return self._along(way)
            return chained([self._vector(row), transposed(self._vector(column))])
        if row is not None:
            return self._vector(row)
        return transposed(self._vector(column)) if column is not None else ONE

    def _along(self, way: tuple[sp.Symbol, ...]) -> Formula:
        found: list[Formula] = []
        for number, node in enumerate(way):
            here = self._at(node, way)
            if here:
                found.append(ts.CallText("diag", (product("entries", here),)))
            if number + 1 < len(way):
                found.append(self._edge(node, way[number + 1]))
        return chained(found) if found else ts.IdentityMatrix(self._size(way[0]))

    def _vector(self, node: sp.Symbol, behind: tuple[sp.Symbol, ...] = ()) -> Formula:
        """A number for every value of an index, made of all that lies behind it as seen from those nodes."""
        here = self._at(node, (*behind, node))
        return product("entries", here) if here else ts.Ones(self._size(node))

    def _at(self, node: sp.Symbol, but: tuple[sp.Symbol, ...]) -> list[Formula]:
        """The vectors at a node, and branches from it to others but these."""
        found = [self._placed(factor, (node,)) for factor in self.graph.at(node)]
        branches = [other for other in self.graph.neighbours(node) if other not in but]
        return found + [chained([self._edge(node, o), self._vector(o, (*but, node))]) for o in branches]

    def _edge(self, one: sp.Symbol, other: sp.Symbol) -> Formula:
        return product("entries", [self._placed(f, (one, other)) for f in self.graph.between(one, other)])

    def _size(self, node: sp.Symbol) -> Formula:
        return MatrixWriter(self.names.program).write(self.axis_of[node].extent)

    def _placed(self, factor: sp.Expr, nodes: tuple[sp.Symbol, ...]) -> Formula:
        entry = self.names.entry(factor, self.axis_of)
        self.used.add(entry.tensor)
        return placed(entry, nodes, self.letters, MatrixWriter(self.names.program).tensor(entry.tensor))


def placed(
    entry: Entry, nodes: tuple[sp.Symbol, ...], letters: Mapping[sp.Symbol, sp.Symbol], tensor: Formula
) -> Formula:
    """The part of a tensor with the axes of `nodes`, two at most, in this order: `x`, `xᵀ`, `p[n]`, `W[:,k]`.

    A place on an axis of one is seen where more than a matrix would be left, or less than a column.
    """
    own = tuple(i for i in entry.indices if i in nodes)
    if own not in (nodes, nodes[::-1]):
        raise NoMatrixFormError
    spare = 2 - len(own) if own else 0
    shown: list[Formula] = []
    kept: list[sp.Expr] = []
    for index in reversed(entry.indices):
        stays = index in own or (index == 0 and len(kept) < len([i for i in kept if i in own]) + spare)
        shown.insert(0, ALL if stays else ts.NameText(str(letters.get(index, index))))
        kept[:0] = [index] if stays else []
    found = part(tensor, shown)
    is_row = len(own) == 1 and kept[-1] in own and len(kept) == 2
    return transposed(found) if is_row or own != nodes else found


def part(tensor: Formula, places: Sequence[Formula]) -> Formula:
    """`z[n]`, `W[:,k]`, or all of a tensor; what is all of an axis is not seen at the end."""
    shown = list(places)
    while shown and shown[-1] == ALL:
        shown.pop()
    return ts.Indexed(tensor, tuple(shown)) if shown else tensor


def chained(factors: list[Formula]) -> Formula:
    """A product of matrices, those among its factors opened."""
    flat: list[Formula] = []
    for factor in factors:
        is_product = isinstance(factor, ts.ProductText) and factor.kind == "matrices"
        flat += factor.factors if is_product else [factor]  # type: ignore[union-attr]  # it is a product
    return product("matrices", flat)
