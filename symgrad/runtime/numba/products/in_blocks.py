"""Products in blocks, for threads to take."""

import sys
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import llvmlite.binding
import numpy as np
from numba import config, types
from numba.extending import intrinsic

from symgrad.runtime.numba.products.blas import (
    _BY_ROWS,
    _IS_AMD,
    _MKL,
    _amount,
    _chosen,
    _letter,
    _Matrix,
    _matrix,
    _of_values,
    _Product,
)
from symgrad.runtime.numba.sharing.tasks import _number, _number_of_threads, _of_module, _shared, _task

# Libraries have threads of their own, which wait in loops for work, in the way of all else, and share it
# evenly, so that the slowest core decides. Here a library computes on one thread, and threads take blocks of
# c, two for each thread, of at least LEAST_AMOUNT multiplications and LEAST_SIDE rows or columns: each
# reads and packs anew what it shares with others.
LEAST_AMOUNT, LEAST_SIDE = 2**21, 64
# Blocks that have so many rows or more are whole rows: so oneDNN is faster, and MKL slower.
_WHOLE_FROM = sys.maxsize if _MKL and not _IS_AMD else LEAST_SIDE
llvmlite.binding.add_symbol("symgrad_whole_from", _WHOLE_FROM)


def _number_of_blocks(builder: Any, product: _Product) -> Any:
    """In how many blocks c is made: an even number, or one."""
    rows, columns = product.a.rows, product.b.columns
    longest = builder.select(_are_rows(builder, product), rows, columns)
    amount, kind = _amount(builder, rows, product.a.columns, columns), rows.type
    threads = _number_of_threads(builder, kind)
    most = builder.mul(threads, kind(2))
    bounds = builder.sdiv(amount, kind(LEAST_AMOUNT)), builder.sdiv(longest, kind(LEAST_SIDE))
    even = builder.and_(reduce(partial(_least, builder), bounds, most), kind(-2))
    is_alone = builder.or_(
        builder.icmp_signed("==", threads, kind(1)), builder.icmp_signed("==", even, kind(0))
    )
    return builder.select(is_alone, kind(1), even)


def _least(builder: Any, one: Any, other: Any) -> Any:
    return builder.select(builder.icmp_signed("<", one, other), one, other)


def _bounds(builder: Any, side: Any, count: Any, place: Any) -> tuple[Any, Any]:
    """Where a block begins, and its length: blocks begin at whole vectors."""
    following = builder.add(place, place.type(1))
    start, end = (builder.sdiv(builder.mul(side, number), count) for number in (place, following))
    start, inner_end = (builder.and_(bound, bound.type(-16)) for bound in (start, end))
    is_last = builder.icmp_signed("==", following, count)
    return start, builder.sub(builder.select(is_last, side, inner_end), start)


def _from(builder: Any, matrix: _Matrix, start: Any, of_rows: bool) -> _Matrix:
    """A matrix from a row on, or from a column on."""
    lies_by_rows = builder.icmp_signed("==", matrix.form, _letter(_BY_ROWS))
    steps = (matrix.lead, start.type(1)) if of_rows else (start.type(1), matrix.lead)
    place = builder.mul(start, builder.select(lies_by_rows, *steps))
    return matrix._replace(data=builder.gep(matrix.data, [place]))


def _are_rows(builder: Any, product: _Product) -> Any:
    """Whether c has more rows than columns: then blocks are rows of it, else columns."""
    return builder.icmp_signed(">", product.a.rows, product.b.columns)


def _grid(builder: Any, product: _Product, count: Any) -> tuple[Any, Any]:
    """How many of the blocks lie below each other, and side by side; the shorter side is halved if long.

    Where both factors lie by rows, some libraries are faster with whole rows of c, if a block has enough.
    """
    rows, columns, one, two = product.a.rows, product.b.columns, count.type(1), count.type(2)
    lie_by_rows = [builder.icmp_signed("==", factor.form, _letter(_BY_ROWS)) for factor in product[1:3]]
    enough = _number(builder, "symgrad_whole_from", count.type)
    are_enough = builder.icmp_signed(">=", builder.sdiv(rows, count), enough)
    are_whole = reduce(builder.and_, lie_by_rows, are_enough)
    are_long = builder.icmp_signed(">=", _least(builder, rows, columns), count.type(4 * LEAST_SIDE))
    are_halved = builder.and_(
        builder.icmp_signed(">", count, two), builder.and_(are_long, builder.not_(are_whole))
    )
    across = builder.select(are_halved, two, one)
    along = builder.sdiv(count, across)
    are_rows = builder.or_(_are_rows(builder, product), are_whole)
    return builder.select(are_rows, along, across), builder.select(are_rows, across, along)


def _one_block(builder: Any, product: _Product, number: Any, count: Any) -> None:
    """The product that makes one block of so many of c."""
    _, a, b, _, c = product
    below, beside = _grid(builder, product, count)
    top, rows = _bounds(builder, a.rows, below, builder.sdiv(number, beside))
    left, columns = _bounds(builder, b.columns, beside, builder.srem(number, beside))
    own = product._replace(
        a=_from(builder, a, top, True)._replace(rows=rows),
        b=_from(builder, b, left, False)._replace(columns=columns),
        c=_from(builder, _from(builder, c, top, True), left, False),
    )
    _chosen(builder, own)


def _of_block(builder: Any, product: _Product) -> Any:
    """The function that makes one block of a product."""
    kinds = [*(value.type for value in product.values()), product.a.rows.type]
    function, inside, (*values, count), number = _task(builder, f"symgrad_block_{product.alpha.type}", kinds)
    _one_block(inside, _of_values(values), number, count)
    inside.ret_void()
    return function


def _product(builder: Any, product: _Product) -> None:
    """A call of the function that chooses the library: of one for all products of a type, compiled once."""
    name, given = f"symgrad_product_{product.alpha.type}", product.values()
    function = builder.module.globals.get(name)
    if function is None:
        of_block = _of_block(builder, product)
        function, inside = _of_module(builder, name, [value.type for value in given])
        own = _of_values(function.args)
        count = _number_of_blocks(inside, own)
        with inside.if_else(inside.icmp_signed(">", count, count.type(1))) as (several, one):
            with several:
                _shared(inside, of_block, [*own.values(), count], count)
            with one:
                _chosen(inside, own)
        inside.ret_void()
    builder.call(function, given)


def _typed_gemm(context: Any, alpha: Any, a: Any, b: Any, beta: Any, c: Any) -> tuple[Any, Callable]:
    """The call of a library as LLVM sees it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        a, b, c = (_matrix(context, builder, kinds[k], arguments[k], k == 2, k == 4) for k in (1, 2, 4))
        if kinds[4].ndim == 1:  # a column where the right one is
            c = c._replace(lead=b.columns)
        _product(builder, _Product(arguments[0], a, b, arguments[3], c))
        return context.get_dummy_value()

    return types.void(c.dtype, a, b, c.dtype, c), generate


def _gemm_by_numpy(alpha: float, a: np.ndarray, b: np.ndarray, beta: float, c: np.ndarray) -> None:
    c[...] = alpha * np.dot(a, b) + (beta * c if beta else 0)


gemm = _gemm_by_numpy if config.DISABLE_JIT else intrinsic(_typed_gemm)  # c ← alpha·a·b + beta·c
