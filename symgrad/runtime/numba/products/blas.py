"""Matrix products: BLAS, called where it lies in memory."""

import os
import sys
from collections.abc import Sequence
from ctypes import CDLL
from functools import partial, reduce
from glob import glob
from typing import Any, NamedTuple

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import get_cython_function_address

from symgrad.runtime.numba.brief_code import _part
from symgrad.runtime.numba.sharing.shared_work import _entry
from symgrad.runtime.numba.sharing.tasks import _number, _symbol


def _library(name: str, *files: str) -> CDLL | None:
    """A library for products, where it is installed beside Python and SYMGRAD_BLAS names no other."""
    if os.environ.get("SYMGRAD_BLAS", name) == name:
        for file in sorted(found for pattern in files for found in glob(f"{sys.prefix}/{pattern}")):
            try:
                return CDLL(file)
            except OSError:
                continue
    return None


# oneDNN has products in float32 alone. It is called for those of more than LARGE multiplications, up to
# which OpenBLAS has kernels of its own that are as fast. On Intel's processors MKL was measured to be as fast
# as oneDNN in all of these, and up to two fifths faster in many, so it takes them there, in both types. On
# others, where there is no oneDNN, it is called for those of MIDDLE with no size below WIDE, where it was
# faster than SciPy's BLAS.
LARGE, MIDDLE, WIDE = 10**6, (2**19, 2**26), 32
# With a vector, libraries add up all terms in order, or slowly: in pieces of so many, float32 keeps digits.
PIECE = 4096
ALONE = 2**18  # up to so many multiplications no library starts threads
# Three kinds of products are an exception on Intel's processors, measured on one of model 85. a·bᵀ, which is
# read along the sum, if c has THICK rows and columns or more: with a LONG side OpenBLAS has no kernel of
# its own for it, and MKL takes 0.7 of its time from ALONE on; in float32 with sides within NARROW MKL packs
# no factor, and OpenBLAS takes 0.7 of its time. So it does in float64 with MEDIUM rows, where a PAGE or more
# rows of b lie a multiple of PAGE numbers apart, and so meet in the same places of the caches.
THICK, LONG, NARROW, MEDIUM, PAGE = 16, 256, (64, 127), (32, 160), 512
_IS_AMD = llvmlite.binding.get_host_cpu_name().startswith(("bdver", "btver", "znver"))
_MKL = _library("mkl", "lib/libmkl_rt.*", "Library/bin/mkl_rt*.dll")
_ONEDNN = _library("onednn", "lib/libdnnl.*") if _IS_AMD or not _MKL else None
if _ONEDNN and hasattr(_ONEDNN, "omp_set_num_threads") and hasattr(os, "register_at_fork"):
    # In the child of a fork OpenMP would wait forever for the threads of the parent.
    os.register_at_fork(after_in_child=partial(_ONEDNN.omp_set_num_threads, 1))
else:
    _ONEDNN = None
_MKL_USE = "MKL for products of a middle size" if _IS_AMD else "MKL for large products"
_others = [(_ONEDNN, "oneDNN for large products in float32"), (_MKL, _MKL_USE)]
BLAS = ", ".join(["SciPy's", *(use for library, use in _others if library)])


for _routine, _onednn in (("sgemm", _ONEDNN), ("dgemm", None)):
    _in_scipy = get_cython_function_address("scipy.linalg.cython_blas", _routine)
    llvmlite.binding.add_symbol(f"symgrad_{_routine}", _in_scipy)
    _in_mkl = _entry(getattr(_MKL, _routine)) if _MKL and not _onednn else _in_scipy
    llvmlite.binding.add_symbol(f"symgrad_mkl_{_routine}", _in_mkl)
for _routine in ("dnnl_sgemm", "omp_get_max_threads", "omp_set_num_threads"):
    _place = _entry(getattr(_ONEDNN, _routine)) if _ONEDNN else _in_scipy
    llvmlite.binding.add_symbol(f"symgrad_{_routine}", _place)
if _MKL:
    llvmlite.binding.add_symbol("symgrad_mkl_threads", _entry(_MKL.MKL_Set_Num_Threads_Local))
# Compiled code is kept on disk, while libraries come and go: where their products begin are symbols too.
llvmlite.binding.add_symbol("symgrad_onednn_above", LARGE if _ONEDNN else sys.maxsize)
for _bound, _on_amd, _on_intel in (
    ("from", MIDDLE[0], LARGE),
    ("long_from", MIDDLE[0], ALONE + 1),
    ("slow_from", MIDDLE[0], sys.maxsize),
    ("below", MIDDLE[1], sys.maxsize),
    ("least_size", WIDE, 1),
):
    llvmlite.binding.add_symbol(f"symgrad_mkl_{_bound}", _on_amd if _IS_AMD else _on_intel)


_BY_ROWS, _BY_COLUMNS = "NT"  # what BLAS calls not transposed, and transposed


class _Matrix(NamedTuple):
    """A matrix as libraries see it: lying by rows or by columns, as `form` says, each of a length `lead`."""

    data: Any
    rows: Any
    columns: Any
    form: Any
    lead: Any


class _Product(NamedTuple):
    """c ← alpha·a·b + beta·c."""

    alpha: Any
    a: _Matrix
    b: _Matrix
    beta: Any
    c: _Matrix

    def values(self) -> list[Any]:
        return [self.alpha, *self.a, *self.b, self.beta, *self.c]


def _of_values(values: Sequence[Any]) -> _Product:
    size = len(_Matrix._fields)
    a, b, c = (_Matrix(*values[at : at + size]) for at in (1, 1 + size, 2 + 2 * size))
    return _Product(values[0], a, b, values[1 + 2 * size], c)


def _matrix(
    context: Any, builder: Any, kind: Any, value: Any, is_right: bool = False, by_rows: bool = False
) -> _Matrix:
    """An argument, lying `by_rows` if need be; a vector is a row, or on the right a column."""
    data = _part(context, builder, kind, value, "data")
    sizes = cgutils.unpack_tuple(builder, _part(context, builder, kind, value, "shape"))
    if kind.ndim == 1:
        sizes.insert(1 if is_right else 0, context.get_constant(types.intp, 1))
    rows, columns = sizes
    if kind.layout == "A":
        steps = cgutils.unpack_tuple(builder, _part(context, builder, kind, value, "strides"))
        return _section(context, builder, data, (rows, columns), steps, by_rows)
    form, lead = (_BY_ROWS, columns) if kind.layout == "C" else (_BY_COLUMNS, rows)
    return _Matrix(data, rows, columns, _letter(form), lead)


def _section(
    context: Any, builder: Any, data: Any, sizes: Sequence[Any], in_bytes: Sequence[Any], by_rows: bool
) -> _Matrix:
    """A part of an array with gaps between its rows, or its columns: never within them."""
    rows, columns = sizes
    size_of_entry = in_bytes[0].type(context.get_abi_sizeof(data.type.pointee))
    steps = [builder.sdiv(step, size_of_entry) for step in in_bytes]
    one = context.get_constant(types.intp, 1)
    is_by_rows, is_by_columns = (
        builder.or_(builder.icmp_signed("==", step, one), builder.icmp_signed("<=", size, one))
        for step, size in zip(reversed(steps), (columns, rows), strict=True)
    )
    fits = is_by_rows if by_rows else builder.or_(is_by_rows, is_by_columns)
    with builder.if_then(builder.not_(fits), likely=False):
        message = "a product of a matrix with gaps in its rows and in its columns"
        context.call_conv.return_user_exc(builder, ValueError, (message,))
    lead = builder.select(is_by_rows, steps[0], steps[1])
    least = builder.select(is_by_rows, columns, rows)
    lead = builder.select(builder.icmp_signed("<", lead, least), least, lead)  # of a single row
    form = builder.select(is_by_rows, _letter(_BY_ROWS), _letter(_BY_COLUMNS))
    return _Matrix(data, rows, columns, form, lead)


def _letter(text: str) -> Any:
    return ir.IntType(8)(ord(text))


def _by_onednn(builder: Any, product: _Product) -> Any:
    """oneDNN stores by rows; letters go as int, which holds for every convention of calls."""
    alpha, a, b, beta, c = product
    number = ir.IntType(32)
    letters = [builder.zext(matrix.form, number) for matrix in (a, b)]
    sizes = a.rows, b.columns, a.columns
    given = [*letters, *sizes, alpha, a.data, a.lead, b.data, b.lead, beta, c.data, c.lead]
    threads = builder.call(_symbol(builder, "symgrad_omp_get_max_threads", number, []), [])
    set_threads = _symbol(builder, "symgrad_omp_set_num_threads", ir.VoidType(), [threads])
    builder.call(set_threads, [number(1)])
    found = builder.call(_symbol(builder, "symgrad_dnnl_sgemm", number, given), given)
    builder.call(set_threads, [threads])
    return found


def _by_blas(builder: Any, product: _Product) -> None:
    """BLAS stores by columns: it is asked for the transposed product; it wants addresses."""
    alpha, a, b, beta, c = product
    sizes, number = (b.columns, a.rows, a.columns), ir.IntType(32)
    given = [b.form, a.form, *sizes, alpha, b.data, b.lead, a.data, a.lead, beta, c.data, c.lead]
    given = [builder.trunc(value, number) if value.type == a.rows.type else value for value in given]
    given = [v if v.type.is_pointer else cgutils.alloca_once_value(builder, v) for v in given]
    routine = "sgemm" if alpha.type == ir.FloatType() else "dgemm"
    in_scipy = _symbol(builder, f"symgrad_{routine}", ir.VoidType(), given)
    in_mkl = _symbol(builder, f"symgrad_mkl_{routine}", ir.VoidType(), given)
    chosen = builder.select(_is_for_mkl(builder, product), in_mkl, in_scipy)
    amount = _amount(builder, *sizes)
    has_threads = builder.icmp_signed(">", amount, amount.type(ALONE))
    with builder.if_else(has_threads) as (would, would_not):
        with would:
            _switched(builder, "symgrad_one_thread")
            threads = builder.call(_symbol(builder, "symgrad_mkl_threads", number, [number(1)]), [number(1)])
            builder.call(chosen, given)
            builder.call(_symbol(builder, "symgrad_mkl_threads", number, [threads]), [threads])
            _switched(builder, "symgrad_as_before")
        with would_not:
            builder.call(chosen, given)


def _switched(builder: Any, name: str) -> None:
    """One thread for SciPy's BLAS, or as many as before."""
    builder.call(_symbol(builder, name, ir.VoidType(), []), [])


def _is_for_mkl(builder: Any, product: _Product) -> Any:
    """Whether a product is one of those for MKL."""
    sizes = product.a.rows, product.b.columns, product.a.columns
    most, least_size = _bounds_of_mkl(builder, product, "below", "least_size")
    amount, least = _amount(builder, *sizes), _least_for_mkl(builder, product)
    bounds = (">=", amount, least), ("<", amount, most), *((">=", size, least_size) for size in sizes)
    return _all(builder, *bounds)


def _least_for_mkl(builder: Any, product: _Product) -> Any:
    """From how many multiplications on a product of this kind is one for MKL."""
    sides, kind = (product.a.rows, product.b.columns), product.a.rows.type
    usual, if_long, if_slow = _bounds_of_mkl(builder, product, "from", "long_from", "slow_from")
    is_thick = _all(
        builder,
        ("==", product.a.form, _letter(_BY_ROWS)),
        ("==", product.b.form, _letter(_BY_COLUMNS)),
        *((">=", side, kind(THICK)) for side in sides),
    )
    is_long = builder.or_(*(builder.icmp_signed(">=", side, kind(LONG)) for side in sides))
    least = builder.select(builder.and_(is_thick, is_long), if_long, usual)
    return builder.select(_is_slow_by_mkl(builder, product, is_thick), if_slow, least)


def _is_slow_by_mkl(builder: Any, product: _Product, is_thick: Any) -> Any:
    """Whether MKL reads the factors of a large product as they lie, more slowly than OpenBLAS packs them."""
    alpha, a, b, _, _ = product
    kind = a.rows.type
    if alpha.type == ir.FloatType():
        within = zip((a.rows, b.columns), map(kind, NARROW), strict=True)
        return builder.and_(is_thick, _all(builder, *(("<=", side, most) for side, most in within)))
    return _all(
        builder,
        ("==", b.form, _letter(_BY_ROWS)),
        ("==", builder.srem(b.lead, kind(PAGE)), kind(0)),
        (">=", b.rows, kind(PAGE)),
        (">=", a.rows, kind(MEDIUM[0])),
        ("<=", a.rows, kind(MEDIUM[1])),
    )


def _bounds_of_mkl(builder: Any, product: _Product, *names: str) -> list[Any]:
    return [_number(builder, f"symgrad_mkl_{name}", product.a.rows.type) for name in names]


def _all(builder: Any, *comparisons: tuple[str, Any, Any]) -> Any:
    """Whether all of these hold."""
    return reduce(builder.and_, (builder.icmp_signed(*comparison) for comparison in comparisons))


def _amount(builder: Any, *sizes: Any) -> Any:
    return reduce(builder.mul, sizes)


def _is_long_with_vector(builder: Any, a: _Matrix, b: _Matrix) -> Any:
    """Whether each entry of a product that is a row or a column sums many terms."""
    one = a.rows.type(1)
    is_vector = builder.or_(builder.icmp_signed("==", a.rows, one), builder.icmp_signed("==", b.columns, one))
    return builder.and_(is_vector, builder.icmp_signed(">", a.columns, a.columns.type(PIECE)))


def _in_pieces(builder: Any, product: _Product) -> None:
    """The sum of a product's terms in pieces, each added to those before."""
    _, a, b, beta, _ = product
    inner, piece, one = a.columns, a.columns.type(PIECE), a.columns.type(1)
    with cgutils.for_range_slice(builder, inner.type(0), inner, piece, inner.type) as (start, _):
        left = builder.sub(inner, start)
        rows = builder.select(builder.icmp_signed("<", left, piece), left, piece)
        is_by_rows, is_right_by_rows = (builder.icmp_signed("==", m.form, _letter(_BY_ROWS)) for m in (a, b))
        steps = builder.select(is_by_rows, one, a.lead), builder.select(is_right_by_rows, b.lead, one)
        places = [builder.mul(start, step) for step in steps]
        data = [builder.gep(m.data, [place]) for m, place in zip((a, b), places, strict=True)]
        kept = builder.select(builder.icmp_signed("==", start, start.type(0)), beta, beta.type(1.0))
        parts = a._replace(data=data[0], columns=rows), b._replace(data=data[1], rows=rows)
        _by_blas(builder, product._replace(a=parts[0], b=parts[1], beta=kept))


def _chosen(builder: Any, product: _Product) -> None:
    """The product by that library which is the fastest for its sizes."""
    alpha, a, b, _, _ = product
    is_done = cgutils.alloca_once_value(builder, ir.IntType(1)(0))
    if alpha.type == ir.FloatType():
        amount = _amount(builder, a.rows, a.columns, b.columns)
        most = _number(builder, "symgrad_onednn_above", amount.type)
        is_long = _is_long_with_vector(builder, a, b)
        with builder.if_then(is_long):
            _in_pieces(builder, product)
            builder.store(ir.IntType(1)(1), is_done)
        is_large = builder.icmp_signed(">", amount, most)
        with builder.if_then(builder.and_(is_large, builder.not_(is_long))):
            succeeds = ir.IntType(32)(0)  # it might find no memory
            found = _by_onednn(builder, product)
            builder.store(builder.icmp_signed("==", found, succeeds), is_done)
    with builder.if_then(builder.not_(builder.load(is_done))):
        _by_blas(builder, product)
