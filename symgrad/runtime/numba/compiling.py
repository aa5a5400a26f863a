"""How functions are compiled."""

from collections.abc import Callable
from typing import Any

from numba import config, njit, version_info
from numba.core.compiler import Compiler

from symgrad.runtime.numba.kept_code import _CompiledCode
from symgrad.runtime.smallest_model import DRIVERS, EXACT_KERNELS, JOINS_DRIVERS, KERNELS, SPEC_NAME, UPDATES

if version_info.minor is not None and version_info.short < (0, 62):
    raise ImportError(
        f"{SPEC_NAME}: expected Numba 0.62 or newer, found {version_info.string}; "
        "run: python -m pip install --upgrade numba"
    )

IN_ORDER = {"contract", "nsz", "arcp", "afn"}  # what fast arithmetic may do; never: forget NaN and infinity


def compiled(function: Callable, may_regroup_sums: bool = True, **options: Any) -> Any:
    """Compile with Numba, kept on disk where there is a place to keep it.

    While it runs other threads of Python do: nothing that is compiled here touches Python's objects.
    """
    fastmath = {*IN_ORDER, "reassoc"} if may_regroup_sums else IN_ORDER
    dispatcher = njit(nogil=True, error_model="numpy", **{"fastmath": fastmath, **options})(function)
    if not config.DISABLE_JIT:
        dispatcher._cache = _CompiledCode(dispatcher)
    return dispatcher


class _ForArraysApart(Compiler):
    """Numba's compiler, told that no two arrays of a kernel overlap: so the workspace is planned."""

    def __init__(
        self, typing: Any, target: Any, library: Any, arguments: Any, result: Any, flags: Any, names: Any
    ) -> None:
        flags.noalias = True
        super().__init__(typing, target, library, arguments, result, flags, names)


def kernel(function: Callable, may_regroup_sums: bool = True) -> Any:
    """Compile a pass over arrays, for calls from compiled code alone, which saves time to compile."""
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": _ForArraysApart}
    return compiled(function, may_regroup_sums, **options)


def exact_kernel(function: Callable) -> Any:
    """A kernel without leave to regroup sums: a difference in brackets is formed first."""
    return kernel(function, may_regroup_sums=False)


def driver(function: Callable) -> Any:
    """Compile statements that call kernels; where it may, it becomes a part of the drivers that call it."""
    options = {"inline": "always"} if JOINS_DRIVERS else {}
    return compiled(function, may_regroup_sums=False, **options)


for _how, _functions in (
    (kernel, KERNELS),
    (exact_kernel, EXACT_KERNELS),
    (driver, DRIVERS),
    (compiled, UPDATES),
):
    globals().update({function.__name__: _how(function) for function in _functions})
