"""The factors of a product as a graph: indices are its nodes, a factor of two indices is an edge.

Where every part of it is a tree with one row index and one column index at most, each part is a product of
matrices: on the way from the row to the column an edge is a matrix, what stands at a node a diagonal one, and
a branch that ends is a vector there. What is summed over else is seen: `Σ_n (x[n]·x[n]ᵀ) ⊗ diag(p[n])`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.notation.matrix_writer import NoMatrixFormError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from symgrad.explain.curvature.sums_of_products import Indices, Summand

MOST_SEEN = 3
"""A sum over more indices that are seen is better read in index form."""


@dataclass(frozen=True)
class FactorGraph:
    """A product whose indices in `seen` have a value each: they are no nodes.

    A row index that must be a column index is one node, and in `columns` that stands in the column's place.
    """

    rows: Indices
    columns: Indices
    seen: Indices
    numbers: tuple[sp.Expr, ...]
    vectors: tuple[tuple[sp.Symbol, sp.Expr], ...]
    edges: tuple[tuple[frozenset[sp.Symbol], sp.Expr], ...]

    def at(self, node: sp.Symbol) -> tuple[sp.Expr, ...]:
        """The vectors at a node."""
        return tuple(factor for other, factor in self.vectors if other == node)

    def neighbours(self, node: sp.Symbol) -> tuple[sp.Symbol, ...]:
        """The nodes that edges lead to."""
        found = (other for edge, _ in self.edges if node in edge for other in edge if other != node)
        return tuple(dict.fromkeys(found))

    def between(self, one: sp.Symbol, other: sp.Symbol) -> tuple[sp.Expr, ...]:
        """The matrices of an edge, which are multiplied entry by entry."""
        return tuple(factor for edge, factor in self.edges if edge == {one, other})

    def way(self, start: sp.Symbol, end: sp.Symbol) -> tuple[sp.Symbol, ...] | None:
        """The nodes from one to another, both among them; None where there is no way."""
        waiting: list[tuple[sp.Symbol, ...]] = [(start,)]
        while waiting:
            nodes = waiting.pop()
            if nodes[-1] == end:
                return nodes
            waiting += [(*nodes, n) for n in self.neighbours(nodes[-1]) if n not in nodes]
        return None

    @property
    def is_readable(self) -> bool:
        """Whether its parts are trees as above, and each is of a row or of a column."""
        rest = {*self.rows, *self.columns, *(node for node, _ in self.vectors)}
        rest |= {node for edge, _ in self.edges for node in edge}
        if any(len(edge) != 2 for edge, _ in self.edges):
            return False
        while rest:
            part = self._part(next(iter(rest)))
            rest -= part
            legs = [sum(leg in part for leg in side) for side in (self.rows, self.columns)]
            edges = {edge for edge, _ in self.edges if edge <= part}
            if max(legs) != 1 or len(edges) != len(part) - 1:
                return False
        return True

    def _part(self, node: sp.Symbol) -> set[sp.Symbol]:
        found, waiting = {node}, [node]
        while waiting:
            new = [n for n in self.neighbours(waiting.pop()) if n not in found]
            found.update(new)
            waiting += new
        return found


def factor_graph(product: Summand, rows: Indices, columns: Indices, fixed: Indices) -> FactorGraph:
    """The product with as few indices seen as can be, beside those that are `fixed`.

    Raises:
        NoMatrixFormError: there is no way to read it as products of matrices.
    """
    for seen in _choices(product):
        graph = _graph(product, rows, columns, (*fixed, *seen))
        if graph.is_readable:
            return graph
    raise NoMatrixFormError


def _choices(product: Summand) -> Iterator[Sequence[sp.Symbol]]:
    """Indices that are summed over, fewer first, those over data before others."""
    bound = sorted(product.bound, key=lambda i: bool(product.bound[i].is_number))
    for number in range(min(len(bound), MOST_SEEN) + 1):
        yield from combinations(bound, number)


def _graph(product: Summand, rows: Indices, columns: Indices, seen: Indices) -> FactorGraph:
    together = {column: row for row, column in product.links}
    by_number: dict[int, list[tuple[frozenset[sp.Symbol], sp.Expr]]] = {0: [], 1: [], 2: []}
    for at, factor in product.groups.items():
        nodes = at - {*seen}
        by_number[min(len(nodes), 2)].append((nodes, factor))
    return FactorGraph(
        rows,
        tuple(together.get(column, column) for column in columns),
        seen,
        tuple(factor for _, factor in by_number[0]),
        tuple((node, factor) for (node,), factor in by_number[1]),
        tuple(by_number[2]),
    )
