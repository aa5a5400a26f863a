"""Polynomials, by Horner's rule."""

from collections.abc import Callable
from functools import reduce
from typing import Any

from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic


def _polynomial(x: Any, coefficients: tuple[Any, ...]) -> Any:
    """The polynomial with these coefficients, that of x⁰ first."""
    return reduce(lambda value, coefficient: coefficient + x * value, reversed(coefficients))


def _typed_polynomial(context: Any, x: Any, coefficients: Any) -> tuple[Any, Callable]:
    """The same for compiled code, without a loop."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at, given = arguments[0], cgutils.unpack_tuple(builder, arguments[1])
        return reduce(lambda value, c: builder.fadd(c, builder.fmul(at, value)), reversed(given))

    return x(x, types.UniTuple(x, len(coefficients))), generate


polynomial = _polynomial if config.DISABLE_JIT else intrinsic(_typed_polynomial)
