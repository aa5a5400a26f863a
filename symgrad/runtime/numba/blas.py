"""Matrix products: BLAS, called where it lies in memory."""

import os
import sys
from collections.abc import Callable
from ctypes import CDLL, c_void_p, cast
from functools import partial
from glob import glob
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic


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
# which OpenBLAS has kernels of its own that are as fast; MKL, where there is no oneDNN, for those of MIDDLE
# with no size below WIDE. There they were measured to be faster than SciPy's BLAS.
LARGE, MIDDLE, WIDE = 10**6, (2**19, 2**26), 32
_ONEDNN = _library("onednn", "lib/libdnnl.*")
if _ONEDNN and hasattr(_ONEDNN, "omp_set_num_threads") and hasattr(os, "register_at_fork"):
    # In the child of a fork OpenMP would wait forever for the threads of the parent.
    os.register_at_fork(after_in_child=partial(_ONEDNN.omp_set_num_threads, 1))
else:
    _ONEDNN = None
_MKL = _library("mkl", "lib/libmkl_rt.*", "Library/bin/mkl_rt*.dll")
_others = [(_ONEDNN, "oneDNN for large products in float32"), (_MKL, "MKL for products of a middle size")]
BLAS = ", ".join(["SciPy's", *(use for library, use in _others if library)])


def _place_of(routine: str, library: CDLL) -> int | None:
    return cast(getattr(library, routine), c_void_p).value


for _routine, _onednn in (("sgemm", _ONEDNN), ("dgemm", None)):
    _in_scipy = get_cython_function_address("scipy.linalg.cython_blas", _routine)
    llvmlite.binding.add_symbol(f"symgrad_{_routine}", _in_scipy)
    _in_mkl = _place_of(_routine, _MKL) if _MKL and not _onednn else _in_scipy
    llvmlite.binding.add_symbol(f"symgrad_middle_{_routine}", _in_mkl)
# Compiled code is kept on disk, while libraries come and go: where large products begin is a symbol too.
llvmlite.binding.add_symbol(
    "symgrad_onednn_sgemm", _place_of("dnnl_sgemm", _ONEDNN) if _ONEDNN else _in_scipy
)
llvmlite.binding.add_symbol("symgrad_onednn_above", LARGE if _ONEDNN else sys.maxsize)


def _typed_gemm(context: Any, alpha: Any, a: Any, b: Any, beta: Any, c: Any) -> tuple[Any, Callable]:
    """The call of a library as LLVM sees it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = context.get_value_type(types.intp)

        def matrix(number: int, is_right: bool) -> tuple[Any, Any, Any, Any]:
            kind = signature.args[number]
            array = context.make_array(kind)(context, builder, arguments[number])
            sizes = cgutils.unpack_tuple(builder, array.shape)
            if kind.ndim == 1:
                sizes.insert(1 if is_right else 0, whole(1))
            letter, lead = ("N", sizes[1]) if kind.layout == "C" else ("T", sizes[0])
            return array.data, sizes, ir.IntType(8)(ord(letter)), lead

        def function(name: str, result: Any, kinds: list[Any]) -> Any:
            return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, kinds), name)

        def call_blas() -> None:
            """BLAS stores by columns: it is asked for the transposed product; it wants addresses."""
            given = [b_form, a_form, columns, rows, inner, alpha, b, b_lead, a, a_lead, beta, c, columns]
            given = [
                builder.trunc(value, ir.IntType(32)) if value.type == whole else value for value in given
            ]
            given = [
                value if value.type.is_pointer else cgutils.alloca_once_value(builder, value)
                for value in given
            ]
            result, kinds = ir.VoidType(), [value.type for value in given]
            routine = "sgemm" if signature.args[0] == types.float32 else "dgemm"
            is_middle = ir.IntType(1)(1)
            bounds = [(">=", amount, MIDDLE[0]), ("<", amount, MIDDLE[1])]
            for sign, size, bound in [*bounds, *((">=", size, WIDE) for size in (rows, inner, columns))]:
                is_middle = builder.and_(is_middle, builder.icmp_signed(sign, size, whole(bound)))
            in_scipy = function(f"symgrad_{routine}", result, kinds)
            in_mkl = function(f"symgrad_middle_{routine}", result, kinds)
            builder.call(builder.select(is_middle, in_mkl, in_scipy), given)

        def call_onednn() -> Any:
            """oneDNN stores by rows; letters go as int, which holds for every convention of calls."""
            status = ir.IntType(32)
            letters = [builder.zext(form, status) for form in (a_form, b_form)]
            given = [*letters, rows, columns, inner, alpha, a, a_lead, b, b_lead, beta, c, columns]
            return builder.call(
                function("symgrad_onednn_sgemm", status, [value.type for value in given]), given
            )

        alpha, _, _, beta, _ = arguments
        a, (rows, inner), a_form, a_lead = matrix(1, False)
        b, (_, columns), b_form, b_lead = matrix(2, True)
        c, _, _, _ = matrix(4, False)
        amount = builder.mul(builder.mul(rows, inner), columns)
        is_done = cgutils.alloca_once_value(builder, ir.IntType(1)(0))
        if signature.args[0] == types.float32:
            most = builder.ptrtoint(function("symgrad_onednn_above", ir.VoidType(), []), whole)
            with builder.if_then(builder.icmp_signed(">", amount, most)):
                succeeds = ir.IntType(32)(0)  # it might find no memory
                builder.store(builder.icmp_signed("==", call_onednn(), succeeds), is_done)
        with builder.if_then(builder.not_(builder.load(is_done))):
            call_blas()
        return context.get_dummy_value()

    return types.void(c.dtype, a, b, c.dtype, c), generate


def _gemm_by_numpy(alpha: float, a: np.ndarray, b: np.ndarray, beta: float, c: np.ndarray) -> None:
    c[...] = alpha * np.dot(a, b) + (beta * c if beta else 0)


gemm = _gemm_by_numpy if config.DISABLE_JIT else intrinsic(_typed_gemm)  # c ← alpha·a·b + beta·c
