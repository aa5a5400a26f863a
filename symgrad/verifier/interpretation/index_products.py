"""Sums of products in index notation, by matrix products instead of entry by entry.

`sum(Q[n,i,h,d] * K[n,j,h,d], d)` has one term for every value of n, i, h, j and d. A product of matrices
for every n and h gives the same sums, and only these are ever held.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from symgrad.spec.language.syntax import Binary, Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.verifier.interpretation.arithmetic import Arithmetic
    from symgrad.verifier.interpretation.array_library import Array, ArrayLibrary

Axes = list[int]


def factors_of(formula: Node) -> list[Node]:
    """What a formula is a product of, at its outermost."""
    match formula:
        case Binary("*", left, right):
            return [*factors_of(left), *factors_of(right)]
    return [formula]


def contract(factors: Sequence[Array], sizes: Sequence[int], arithmetic: Arithmetic) -> tuple[Array, int]:
    """Σ of the product of arrays over their last axes, as long as `sizes`; and the scalar products it took.

    All arrays have the same number of axes, of size 1 where they do not depend on an index. An index that
    none depends on is counted as often as it runs.
    """
    first = factors[0].ndim - len(sizes)
    arrays, work = list(factors), 0
    while len(arrays) > 2:
        a, b = _smallest_pair(arrays)
        arrays = [array for array in arrays if array is not a and array is not b]
        arrays.append(a * b)
        work += math.prod(arrays[-1].shape)
    left, right = (_summed_alone(a, b, first, arithmetic) for a, b in (arrays, arrays[::-1]))
    total, products = _matrix_product(left, right, first, arithmetic.library)
    unused = [s for axis, s in enumerate(sizes, first) if all(a.shape[axis] == 1 for a in factors)]
    return (total * math.prod(unused) if math.prod(unused) != 1 else total), work + products


def _smallest_pair(arrays: Sequence[Array]) -> tuple[Array, Array]:
    """The two whose product has the fewest entries."""
    pairs = [(a, b) for n, a in enumerate(arrays) for b in arrays[n + 1 :]]
    return min(pairs, key=lambda pair: math.prod(map(max, pair[0].shape, pair[1].shape)))


def _summed_alone(array: Array, other: Array, first: int, arithmetic: Arithmetic) -> Array:
    """An array summed over the last axes that the other does not depend on."""
    alone = [n for n in range(first, array.ndim) if array.shape[n] > 1 and other.shape[n] == 1]
    if not alone:
        return array
    shape = [1 if n in alone else size for n, size in enumerate(array.shape)]
    return arithmetic.array(arithmetic.library.sum(array, tuple(alone))).reshape(shape)


def _matrix_product(left: Array, right: Array, first: int, library: ArrayLibrary) -> tuple[Array, int]:
    """Rows from the left, columns from the right, one matrix for every value of the axes both keep."""
    shared = [n for n in range(left.ndim) if left.shape[n] > 1 and right.shape[n] > 1]
    summed = [n for n in shared if n >= first]
    kept = [n for n in shared if n < first]
    rows = [n for n in range(first) if n not in kept and left.shape[n] > 1]
    columns = [n for n in range(first) if n not in kept and right.shape[n] > 1]
    a = _as_matrices(left, (kept, rows, summed), library)
    b = _as_matrices(right, (kept, summed, columns), library)
    product = library.matmul(a, b)
    order = [*kept, *rows, *columns]
    ones = [n for n in range(first) if n not in order]
    sizes = [max(left.shape[n], right.shape[n]) for n in order]
    spread = product.reshape((*sizes, *(1 for _ in ones)))
    places = sorted(range(first), key=[*order, *ones].__getitem__)
    return library.permute(spread, tuple(places)), math.prod(product.shape) * a.shape[-1]


def _as_matrices(array: Array, groups: tuple[Axes, Axes, Axes], library: ArrayLibrary) -> Array:
    """An array with its axes gathered into three; all others are of size 1."""
    order = [axis for group in groups for axis in group]
    ones = [axis for axis in range(array.ndim) if axis not in order]
    shape = tuple(math.prod(array.shape[axis] for axis in group) for group in groups)
    return library.permute(array, (*order, *ones)).reshape(shape)
