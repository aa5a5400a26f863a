"""Blocks of the Hessian in matrix notation: `(diag(p[n]) − p[n]·p[n]ᵀ)/N` for every row n, `xᵀ·diag(s)·x/N`.

A block has a row for every entry of one tensor and a column for every entry of the other, the last index
running fastest. Kronecker's deltas, products and sums say what it is made of:

- A delta that binds an index over data of one tensor to that of the other makes blocks, one for each value.
- Of the factors at other indices, each part that is a tree is a product of matrices (`factor_graphs`); a
  delta of a row and a column index alone is an identity, and with vectors a diagonal matrix.
- Parts of different rows and columns stand side by side as a product of Kronecker's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.calculus.axes import letters
from symgrad.calculus.terms import Entry
from symgrad.explain.curvature.factor_graphs import factor_graph
from symgrad.explain.curvature.matrix_products import ALL, MatrixProducts, part
from symgrad.explain.curvature.named_factors import LETTERS
from symgrad.explain.curvature.sums_of_matrices import MatrixTerm, written_sum
from symgrad.explain.curvature.sums_of_products import summands
from symgrad.notation.matrix_writer import MatrixWriter, NoMatrixFormError
from symgrad.notation.typesetting import typeset as ts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.calculus.axes import Axis
    from symgrad.calculus.program import Program
    from symgrad.explain.curvature.factor_graphs import FactorGraph
    from symgrad.explain.curvature.named_factors import NamedFactors
    from symgrad.explain.curvature.sums_of_products import Indices, Summand
    from symgrad.explain.jacobians import Jacobian
    from symgrad.notation.typesetting.typeset import Formula

AxisOf: TypeAlias = "Mapping[sp.Symbol, Axis]"
Slot: TypeAlias = tuple[sp.Symbol | None, sp.Symbol | None]
"""A row index and a column index that one matrix of a product of Kronecker's has, one of them at least."""
Links: TypeAlias = tuple[tuple[sp.Symbol, sp.Symbol], ...]


@dataclass(frozen=True)
class BlockForm:
    """A block as a matrix: one for `every` value of some indices, and 0 between different ones.

    `of` and `by` are the parts of both tensors that it is of; `used` are the tensors that `value` names.
    """

    of: Formula
    by: Formula
    value: Formula
    every: Indices
    used: frozenset[str]


@dataclass(frozen=True)
class _Block:
    """A sum of products at row and column indices, those on axes of one left out."""

    rows: Indices
    columns: Indices
    products: tuple[Summand, ...]

    def fixed(self, links: Links) -> _Block:
        """The block for a value of each row index that is linked."""
        at = {column: row for row, column in links}
        return _Block(
            tuple(i for i in self.rows if i not in at.values()),
            tuple(i for i in self.columns if i not in at),
            tuple(replace(p, links=tuple(k for k in p.links if k not in links)) for p in self.products),
        )


def block_form(of: str, slope: Jacobian, names: NamedFactors) -> BlockForm | None:
    """The matrix form of the derivatives of a slope by the tensor `of`, if it has one; factors get names."""
    axis_of = _axes_of_indices(slope)
    parts = Entry(of, slope.of.indices), slope.by
    try:
        block = _block(slope, axis_of)
    except NoMatrixFormError:
        return None
    for links in _choices(block, axis_of):
        try:
            return _form(parts, block.fixed(links), links, axis_of, names)
        except NoMatrixFormError:
            continue
    return None


def _axes_of_indices(jacobian: Jacobian) -> dict[sp.Symbol, Axis]:
    pairs = zip((jacobian.of, jacobian.by), jacobian.axes, strict=True)
    return {i: axis for entry, axes in pairs for i, axis in zip(entry.indices, axes, strict=True)}


def _block(jacobian: Jacobian, axis_of: AxisOf) -> _Block:
    """Raises NoMatrixFormError: it is no sum of such products."""
    zero = {i: sp.Integer(0) for i, axis in axis_of.items() if axis.size == 1}
    rows, columns = (tuple(i for i in e.indices if i not in zero) for e in (jacobian.of, jacobian.by))
    extents = {i: axis.extent for i, axis in axis_of.items()}
    products = summands(jacobian.entire.xreplace(zero), rows, columns, extents)
    return _Block(rows, columns, tuple(map(_without_single_places, products)))


def _without_single_places(product: Summand) -> Summand:
    return product.renamed({i: sp.Integer(0) for i, extent in product.bound.items() if extent == 1})


def _choices(block: _Block, axis_of: AxisOf) -> Iterator[Links]:
    """Links that all products have, whose indices may be given a value each; a row and a column are left."""
    common = [k for k in block.products[0].links if all(k in p.links for p in block.products)]
    common.sort(key=lambda link: block.rows.index(link[0]))
    for links in ([k for k in common if axis_of[k[0]].is_free], common, []):
        is_all = len(links) == len(block.rows) == len(block.columns)
        yield tuple(links[:-1] if is_all else links)


def _form(
    parts: tuple[Entry, Entry], block: _Block, links: Links, axis_of: AxisOf, names: NamedFactors
) -> BlockForm:
    """Raises NoMatrixFormError: it has none."""
    every = tuple(row for row, _ in links)
    known = _axes_by_extent(names.program)
    graphs = [factor_graph(p, block.rows, block.columns, every) for p in block.products]
    slots = _slots(block, _partners(block, graphs))
    used: set[str] = set()
    terms = []
    for product, graph in zip(block.products, graphs, strict=True):
        if not known.keys() >= {*product.bound.values()}:
            raise NoMatrixFormError
        own = {**axis_of, **{i: known[extent] for i, extent in product.bound.items()}}
        summed = graph.seen[len(every) :]
        shown = letters([own[i] for i in summed], {*map(str, every), *names.program.names, *LETTERS})
        writer = MatrixProducts(graph, names, own, dict(zip(summed, shown, strict=True)), used)
        node = dict(zip(block.columns, graph.columns, strict=True))
        matrices = tuple(writer.matrix(row, column and node[column]) for row, column in slots)
        extents = tuple(own[i].extent for i in summed)
        terms.append(MatrixTerm(writer.coefficient(), writer.numbers(), matrices, shown, extents))
    at = {column: row for row, column in links}
    of, by = (_part(entry, at, every, names) for entry in parts)
    value = written_sum(terms, MatrixWriter(names.program))
    return BlockForm(of, by, value, every, frozenset(used))


def _axes_by_extent(program: Program) -> dict[sp.Expr, Axis]:
    return {axis.extent: axis.at_large for tensor in program.tensors for axis in tensor.axes}


def _partners(block: _Block, graphs: list[FactorGraph]) -> dict[sp.Symbol, sp.Symbol]:
    """The column index that a matrix leads to from a row index.

    Raises:
        NoMatrixFormError: there are several.
    """
    found = {
        (row, column)
        for graph in graphs
        for row in block.rows
        for column, node in zip(block.columns, graph.columns, strict=True)
        if graph.way(row, node) is not None
    }
    if any(len({pair[side] for pair in found}) < len(found) for side in (0, 1)):
        raise NoMatrixFormError
    return dict(found)


def _slots(block: _Block, partners: dict[sp.Symbol, sp.Symbol]) -> list[Slot]:
    """Row and column indices side by side, in the order of both.

    Raises:
        NoMatrixFormError: there is none.
    """
    rows = [i for i in block.rows if i not in partners]
    columns = [i for i in block.columns if i not in partners.values()]
    partners = partners | (dict(zip(rows, columns, strict=True)) if len(rows) == len(columns) else {})
    slots: list[Slot] = []
    waiting = list(block.columns)
    for row in block.rows:
        partner = partners.get(row)
        while partner is not None and waiting and waiting[0] != partner:
            slots.append((None, waiting.pop(0)))
        slots.append((row, partner))
        waiting = waiting[1:] if partner is not None else waiting
    slots += [(None, column) for column in waiting]
    if [c for _, c in slots if c is not None] != list(block.columns):
        raise NoMatrixFormError
    return slots


def _part(entry: Entry, at: Mapping[sp.Symbol, sp.Symbol], every: Indices, names: NamedFactors) -> Formula:
    """What of a tensor a block is of: `z[n]`, or all of it."""
    own = [at.get(i, i) for i in entry.indices]
    shown = [ts.NameText(str(i)) if i in every else ALL for i in own]
    return part(MatrixWriter(names.program).tensor(entry.tensor), shown)
