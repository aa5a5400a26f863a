"""Numbers taken apart, for functions without branches, so that loops over them are vectorised."""

from collections.abc import Callable
from typing import Any

from numba import config, from_dtype
from numba.extending import intrinsic

from symgrad.runtime.numba.compiling import compiled
from symgrad.runtime.numba.float64_numbers import INTEGER, REAL


def accurately(function: Callable) -> Any:
    """Compile into every caller, whose leave to regroup sums does not count inside."""
    wrappers = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return compiled(function, fastmath={"contract"}, forceinline=True, **wrappers)


def _bits(number: Any) -> Any:
    """The bits of a number, as an integer."""
    return REAL(number).view(INTEGER)


def _from_bits(number: Any) -> Any:
    """The number with these bits, the last ones of an integer."""
    return INTEGER(number).view(REAL)


def _recast(source: Any, target: Any) -> Any:
    """The same for compiled code."""

    def typed(context: Any, number: Any) -> tuple[Any, Callable]:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value = context.cast(builder, arguments[0], number, source)
            return builder.bitcast(value, context.get_value_type(target))

        return target(number), generate

    return intrinsic(typed)


bits = _bits if config.DISABLE_JIT else _recast(from_dtype(REAL), from_dtype(INTEGER))
from_bits = _from_bits if config.DISABLE_JIT else _recast(from_dtype(INTEGER), from_dtype(REAL))
