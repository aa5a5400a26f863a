"""How functions are compiled."""

import gc
from collections.abc import Callable
from typing import Any

import llvmlite.binding
from llvmlite.binding import Linkage
from numba import config, njit, version_info
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

from symgrad.runtime.numba.brief_code import _brief_passes, _Remembering
from symgrad.runtime.numba.kept_code import _CompiledCode
from symgrad.runtime.smallest_model import DRIVERS, JOINS_DRIVERS, KERNELS, SPEC_NAME, UPDATES

if version_info.minor is not None and version_info.short < (0, 62):
    raise ImportError(
        f"{SPEC_NAME}: expected Numba 0.62 or newer, found {version_info.string}; "
        "run: python -m pip install --upgrade numba"
    )

# So far Numba's inner parts are as the short way to LLVM takes them; a later version goes its own way.
IS_KNOWN = version_info.minor is not None and version_info.short < (0, 69)

# Of 512-bit registers LLVM would use the half, since the first processors that had them slowed down with all.
_WHOLE_REGISTERS = '"prefer-vector-width"="512"'  # where none is so wide, loops take what there is

IN_ORDER = {"contract", "nsz", "arcp", "afn"}  # what fast arithmetic may do; never: forget NaN and infinity


def compiled(function: Callable, may_regroup_sums: bool = True, **options: Any) -> Any:
    """Compile with Numba, kept on disk where there is a place to keep it.

    While it runs other threads of Python do: nothing that is compiled here touches Python's objects.
    """
    fastmath = {*IN_ORDER, "reassoc"} if may_regroup_sums else IN_ORDER
    options = {"pipeline_class": _Undisturbed, "fastmath": fastmath, "_nrt": False, **options}
    dispatcher = njit(nogil=True, error_model="numpy", **options)(function)
    if not config.DISABLE_JIT:
        dispatcher._cache = _CompiledCode(dispatcher)
    return dispatcher


class _OnceOptimized(JITCodeLibrary):
    """Code for whole registers, optimised as a whole, and not one function after the other before."""

    def add_ir_module(self, ir_module: Any) -> None:
        for function in ir_module.functions:
            function.attributes.update({_WHOLE_REGISTERS})
        super().add_ir_module(ir_module)

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout


class _WholeCode(_OnceOptimized):
    """The code of a function with all that it calls, as its own.

    Numba lets a process run the first copy that it meets of what is called; but copies are optimised where
    they stand, and differ in rounding: what a function gives would depend on what was called, or compiled,
    before it.
    """

    _final_module: Any

    def _finalize_final_module(self) -> None:
        self._finalized = True
        self._get_module_for_linking()  # callers take in what is still to be found by its name
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == Linkage.linkonce_odr:
                function.linkage = Linkage.internal
        super()._finalize_final_module()


class _Undisturbed(Compiler):
    """Numba's compiler; meanwhile nobody looks for cycles among the millions of objects that it makes."""

    def __init__(
        self, typing: Any, target: Any, library: Any, arguments: Any, result: Any, flags: Any, names: Any
    ) -> None:
        if library is None:
            library = _WholeCode(target.codegen(), "whole")
            library.enable_object_caching()  # it is kept on disk
        known = _Remembering(typing) if IS_KNOWN else typing
        super().__init__(known, target, library, arguments, result, flags, names)

    def define_pipelines(self) -> list[Any]:
        return [_brief_passes(self.state)] if IS_KNOWN else super().define_pipelines()

    def compile_extra(self, function: Any) -> Any:
        if not gc.isenabled():
            return super().compile_extra(function)
        gc.disable()
        try:
            return super().compile_extra(function)
        finally:
            gc.enable()


class _ForCallers(_OnceOptimized):
    """The code of a kernel, as callers take it in: it is never run by itself, so it is not put into the
    machine's language by itself. What stays is where Numba looks for its environment."""

    _final_module: Any

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True
        self._get_module_for_linking()
        values = self._final_module.global_variables
        kept = "\n".join(str(value) for value in values if "NumbaEnv" in value.name)
        self._final_module = llvmlite.binding.parse_assembly(kept)
        super()._finalize_final_module()


class _ForArraysApart(_Undisturbed):
    """The compiler told that no two arrays of a kernel overlap: so the workspace is planned."""

    def __init__(
        self, typing: Any, target: Any, _: Any, arguments: Any, result: Any, flags: Any, names: Any
    ) -> None:
        flags.noalias = True
        library = None
        if flags.no_cpython_wrapper:
            library = _ForCallers(target.codegen(), "kernel")
            library.enable_object_caching()  # it is kept on disk
        super().__init__(typing, target, library, arguments, result, flags, names)


def kernel(function: Callable) -> Any:
    """Compile a pass over arrays, for calls from compiled code alone, which saves time to compile."""
    apart = _ForArraysApart
    return compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=apart)


def driver(function: Callable) -> Any:
    """Compile statements that call kernels; where it may, it becomes a part of the drivers that call it."""
    options = {"inline": "always"} if JOINS_DRIVERS else {}
    return compiled(function, may_regroup_sums=False, **options)


for _how, _functions in (
    (kernel, KERNELS),
    (driver, DRIVERS),
    (compiled, UPDATES),
):
    globals().update({function.__name__: _how(function) for function in _functions})
