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


def _same(difference: Any) -> Any:
    return difference


def _typed_fence(context: Any, difference: Any) -> tuple[Any, Callable]:
    """The difference itself, which is not regrouped with the sum that it stands in."""
    return difference(difference), _in_llvm("llvm.arithmetic.fence")


maximum = np.maximum if config.DISABLE_JIT else intrinsic(_typed_maximum)
minimum = np.minimum if config.DISABLE_JIT else intrinsic(_typed_minimum)
formed_first = _same if config.DISABLE_JIT else intrinsic(_typed_fence)
