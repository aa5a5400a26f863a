"""NumPy's functions as LLVM has them, which are vectorised."""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import config
from numba.extending import intrinsic


def _in_llvm(name: str) -> Callable:
    """How compiled code calls LLVM's function of this name."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(arguments[0].type, [value.type for value in arguments])
        return builder.call(builder.module.declare_intrinsic(name, kind.args[:1], kind), arguments)

    return generate


def _typed_maximum(context: Any, a: Any, b: Any) -> tuple[Any, Callable]:
    """The larger number, or NaN where one is none."""
    return a(a, a), _in_llvm("llvm.maximum")


def _typed_minimum(context: Any, a: Any, b: Any) -> tuple[Any, Callable]:
    """The smaller number, or NaN where one is none."""
    return a(a, a), _in_llvm("llvm.minimum")


def _typed_difference(context: Any, a: Any, b: Any) -> tuple[Any, Callable]:
    """a - b, which is not regrouped with the sum that it stands in; -0 may be 0, as everywhere."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fsub(*arguments, flags=("nsz",))

    kind = context.unify_types(a, b)
    return kind(kind, kind), generate


def _typed_quotient(context: Any, a: Any, b: Any) -> tuple[Any, Callable]:
    """a / b, which is not regrouped with the product that it stands in."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fdiv(*arguments, flags=("nsz", "arcp"))

    kind = context.unify_types(a, b)
    return kind(kind, kind), generate


def _typed_product(context: Any, a: Any, b: Any) -> tuple[Any, Callable]:
    """a * b, which is not regrouped with the product that it stands in."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fmul(*arguments, flags=("nsz", "contract"))

    kind = context.unify_types(a, b)
    return kind(kind, kind), generate


maximum = np.maximum if config.DISABLE_JIT else intrinsic(_typed_maximum)
minimum = np.minimum if config.DISABLE_JIT else intrinsic(_typed_minimum)
difference_first = np.subtract if config.DISABLE_JIT else intrinsic(_typed_difference)
quotient_first = np.divide if config.DISABLE_JIT else intrinsic(_typed_quotient)
product_first = np.multiply if config.DISABLE_JIT else intrinsic(_typed_product)
