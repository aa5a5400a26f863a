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
_FOR_MKL = (*MIDDLE, WIDE) if _IS_AMD else (LARGE, sys.maxsize, 1)
_BOUNDS_OF_MKL = tuple(f"symgrad_mkl_{bound}" for bound in ("from", "below", "least_size"))
for _bound, _value in zip(_BOUNDS_OF_MKL, _FOR_MKL, strict=True):
    llvmlite.binding.add_symbol(_bound, _value)
# Of so many rows, or more, blocks of a product are whole rows: so oneDNN is faster, and MKL slower.
llvmlite.binding.add_symbol("symgrad_whole_from", sys.maxsize if _MKL and not _IS_AMD else 64)


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
    chosen = builder.select(_is_for_mkl(builder, sizes), in_mkl, in_scipy)
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


def _is_for_mkl(builder: Any, sizes: Sequence[Any]) -> Any:
    """Whether a product of these sizes is one of those for MKL."""
    amount = _amount(builder, *sizes)
    least, most, least_size = (_number(builder, bound, amount.type) for bound in _BOUNDS_OF_MKL)
    tests = [builder.icmp_signed(">=", amount, least), builder.icmp_signed("<", amount, most)]
    tests += (builder.icmp_signed(">=", size, least_size) for size in sizes)
    return reduce(builder.and_, tests)


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
