"""The rows of a batch, gathered side by side."""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from symgrad.runtime.numba.compiling import kernel


def _copied(source: np.ndarray, start: int, target: np.ndarray, place: int, count: int) -> None:
    """Copy entries of one vector into another."""
    target[place : place + count] = source[start : start + count]


def _typed_copy(
    context: Any, source: Any, start: Any, target: Any, place: Any, count: Any
) -> tuple[Any, Callable]:
    """The same for compiled code, as one copy of memory: a loop was measured to take five times as long."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        read, written = (make_array(signature.args[k])(context, builder, arguments[k]) for k in (0, 2))
        size = context.get_abi_sizeof(context.get_data_type(source.dtype))
        places = builder.gep(written.data, [arguments[3]]), builder.gep(read.data, [arguments[1]])
        cgutils.raw_memcpy(builder, *places, arguments[4], size)
        return context.get_dummy_value()

    return types.void(source, types.intp, target, types.intp, types.intp), generate


copy = _copied if config.DISABLE_JIT else intrinsic(_typed_copy)


def _awaited(source: np.ndarray, start: int, count: int) -> None:
    """Without compilation nothing waits for memory."""


def _typed_prefetch(context: Any, source: Any, start: Any, count: Any) -> tuple[Any, Callable]:
    """Ask for entries before they are read: rows in a drawn order lie where no cache expects them."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = make_array(source)(context, builder, arguments[0])
        address, number, whole = (
            ir.IntType(8).as_pointer(),
            ir.IntType(32),
            context.get_value_type(types.intp),
        )
        kind = ir.FunctionType(ir.VoidType(), [address, number, number, number])
        line = whole(64 // context.get_abi_sizeof(context.get_data_type(source.dtype)))
        end = builder.add(arguments[1], arguments[2])
        with cgutils.for_range_slice(builder, arguments[1], end, line, whole) as (place, _):
            entry = builder.bitcast(builder.gep(array.data, [place]), address)
            to_read, near, data = number(0), number(2), number(1)
            builder.call(
                builder.module.declare_intrinsic("llvm.prefetch", [address], kind),
                [entry, to_read, near, data],
            )
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp), generate


prefetch = _awaited if config.DISABLE_JIT else intrinsic(_typed_prefetch)
AHEAD = 8  # so many rows before it is copied is a row asked for


@kernel
def _gather(
    array: np.ndarray, order: np.ndarray, start: int, count: int, width: int, rows: np.ndarray
) -> float:
    """Copy `count` rows of `width` numbers, in the given order, into one piece.

    Returns 0, or NaN where a number is not finite.
    """
    for k in range(count):
        if k + AHEAD < count:
            prefetch(array, order[start + k + AHEAD] * width, width)
        copy(array, order[start + k] * width, rows, k * width, width)
    sign = rows[0] * 0
    for k in range(count * width):
        sign += rows[k] * 0
    return float(sign)
