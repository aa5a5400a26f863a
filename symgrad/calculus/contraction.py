"""Recognition of contractions: which equations are a product of two matrices, or one at every turn of some
loops, and how these are laid out.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.calculus.terms import Entry, indices_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from symgrad.calculus.program import Equation

Group: TypeAlias = tuple[sp.Symbol, ...]
Groups: TypeAlias = tuple[Group, Group, Group]
"""Rows, inner and columns."""
ROWS_WORTH_A_CALL, WORTH_A_CALL = 2**14, 2**11
"""Multiplications that are worth the call of a library inside loops: of rows with rows, which loops do best,
and of others."""


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
    if equation.is_by_parts:
        return None
    found = as_contraction(equation)
    return found if found is not None and not found.batch and (found.rows or found.columns) else None


def is_product_of_windows(equation: Equation) -> bool:
    """Whether it is one product of matrices but for windows of one of them, as slopes of kernels are."""
    found = two_factors(equation)
    if found is None or equation.scatters or is_plain(found[1]) == is_plain(found[2]):
        return False
    first, second = (indices_in(sp.Tuple(*entry.indices)) & {*equation.indices} for entry in found[1:])
    return bool(first and second) and not first & second


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


@dataclass(frozen=True)
class StackedProduct:
    """`target = factor Σ left·right`: a product of two matrices at every turn of the other loops.

    The matrix of the target is [rows, columns]. Libraries take matrices as they lie: either every tensor's
    last index is one of its matrix, which has no gaps in one direction, or its matrix is all of what lies
    behind some place. There a group may be of several indices, and begin later by others:
    of `H[n, i + u, j, c]` the rows [i, j] and columns [c] are a matrix for every n and u. Where it
    `skips_zeros`, an entry of the left matrix that is exactly 0 adds nothing, whatever it is multiplied by.
    """

    factor: sp.Expr
    target: Entry
    left: Entry
    right: Entry
    rows: Group
    inner: Group
    columns: Group
    skips_zeros: bool = False

    @cached_property
    def matrix(self) -> frozenset[sp.Symbol]:
        """The indices that are no places of the stack."""
        return frozenset((*self.rows, *self.inner, *self.columns))

    def groups(self, entry: Entry) -> tuple[Group, Group]:
        """What its matrix is, as it lies."""
        order = [i for index in entry.indices for i in _in(index, self.matrix)]
        first, second = (g for g in (self.rows, self.inner, self.columns) if set(g) <= set(order))
        return (first, second) if order[0] in first else (second, first)

    def is_transposed(self, entry: Entry) -> bool:
        """Whether a factor stands as [inner, rows], or as [columns, inner]."""
        return self.groups(entry) not in ((self.rows, self.inner), (self.inner, self.columns))


def as_stacked_product(equation: Equation, around: Collection[sp.Symbol] = ()) -> StackedProduct | None:
    """The largest products of matrices that an equation is made of, in loops `around` among others; or None.

    Where the loops are over more than places of the target, the products of some places are added.
    """
    equation, skipped = _without_skipped(equation)
    found = two_factors(equation)
    if found is None or not equation.indices or (skipped is not None and equation.scatters):
        return None
    factor, *both = found
    target = Entry(equation.target, equation.indices)
    loops = {loop.index for loop in equation.loops} - {*around}
    may_be_fewer = {loop.index for loop in equation.loops if loop.axis.within is not None}
    possible = [
        StackedProduct(factor, target, left, right, *groups, skips_zeros=skipped is not None)
        for left, right in (both, both[::-1])
        if skipped in (None, left)
        for groups in (
            *_of_single_indices(target, left, right, loops),
            *_of_what_lies_behind(target, left, right, loops, may_be_fewer),
        )
    ]
    return max(possible, key=lambda p: multiplications(equation, p), default=None)


def multiplications(equation: Equation, found: StackedProduct) -> int:
    """Those of one of its products; an axis without a size is long."""
    return prod(loop.axis.size or sys.maxsize for loop in equation.loops if loop.index in found.matrix)


def is_worth_a_call(equation: Equation, found: StackedProduct) -> bool:
    """Whether its products are so large that a library forms them faster than loops; a free axis may be."""
    of_rows = all(entry.indices[-1] == found.inner[-1] for entry in (found.left, found.right))
    least = ROWS_WORTH_A_CALL if of_rows else WORTH_A_CALL
    return prod(loop.axis.size or least for loop in equation.loops if loop.index in found.matrix) >= least


def _of_single_indices(target: Entry, left: Entry, right: Entry, loops: set[sp.Symbol]) -> Iterator[Groups]:
    """Rows, inner and columns of one index each, the last index of every tensor among them."""
    entries = (target, left, right)
    if not all(map(is_plain, entries)):
        return
    columns = target.indices[-1]
    if columns not in right.indices or columns in left.indices or columns not in loops:
        return
    rows = [i for i in target.indices if i in left.indices and i not in right.indices]
    inner = [i for i in left.indices if i in right.indices and i not in target.indices]
    for row, sum_ in product(rows, inner):
        if {row, sum_} <= loops and all(e.indices[-1] in (row, sum_, columns) for e in entries):
            yield (row,), (sum_,), (columns,)


def _of_what_lies_behind(
    target: Entry, left: Entry, right: Entry, loops: set[sp.Symbol], may_be_fewer: Collection[sp.Symbol]
) -> Iterator[Groups]:
    """Groups of indices that are all of what lies behind some place in each tensor."""
    entries = (target, left, right)
    uses = {i: [sum(i in indices_in(index) for index in e.indices) for e in entries] for i in loops}
    for blocks in product(*map(_blocks, entries)):
        matrix = {i for i in loops if sum(uses[i]) == 2 and uses[i] == [i in block for block in blocks]}
        of_target, of_left, of_right = (tuple(i for i in block if i in matrix) for block in blocks)
        rows, columns = (tuple(i for i in of_target if i in other) for other in (of_left, of_right))
        inner = tuple(i for i in of_left if i in of_right)
        arranged = (
            of_target == (*rows, *columns)
            and of_left in ((*rows, *inner), (*inner, *rows))
            and of_right in ((*inner, *columns), (*columns, *inner))
        )
        is_whole = all(_begins_with_steps(block, may_be_fewer) for block in (of_target, of_left, of_right))
        lie_behind = all(i in matrix for block in blocks for i in block[_places_before(block, matrix) :])
        if rows and inner and columns and arranged and lie_behind and is_whole:
            yield rows, inner, columns


def _begins_with_steps(block: Group, steps: Collection[sp.Symbol]) -> bool:
    """Whether steps of parts, of which the last may have fewer, come first in a block: it has no gap then."""
    return not any(i in steps for i in block[1:])


def _places_before(block: Group, matrix: set[sp.Symbol]) -> int:
    return next((place for place, i in enumerate(block) if i in matrix), len(block))


def _blocks(entry: Entry) -> Iterator[Group]:
    """The last indices that are alone, and those behind one that others move, `i` of `i + u`."""
    count = next((n for n, i in enumerate(reversed(entry.indices)) if not isinstance(i, sp.Symbol)), None)
    if count is None:
        yield entry.indices
        return
    alone = entry.indices[len(entry.indices) - count :]
    yield alone
    moved = entry.indices[-count - 1]
    for index in sorted(indices_in(moved), key=str):
        if start_of(moved, frozenset((index,))) is not None:
            yield (index, *alone)


def start_of(index: sp.Expr, matrix: frozenset[sp.Symbol]) -> tuple[sp.Symbol, sp.Expr] | None:
    """The index of a matrix and what it is moved by, where an expression is their sum."""
    found = [i for i in index.args if i in matrix] if index.is_Add and not index.has(Entry) else []
    if len(found) != 1:
        return None
    moved = index - found[0]
    return None if indices_in(moved) & matrix else (found[0], moved)


def _in(index: sp.Expr, matrix: frozenset[sp.Symbol]) -> Iterator[sp.Symbol]:
    """The index of a matrix in one of an entry, if there is one."""
    yield from (i for i in indices_in(index) if i in matrix)
