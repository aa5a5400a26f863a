"""How functions are compiled."""

import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any

from numba import config, njit, version_info
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.compiler import Compiler

from symgrad.runtime.smallest_model import DRIVERS, EXACT_KERNELS, JOINS_DRIVERS, KERNELS, SPEC_NAME, UPDATES

if version_info.minor is not None and version_info.short < (0, 62):
    raise ImportError(
        f"{SPEC_NAME}: expected Numba 0.62 or newer, found {version_info.string}; "
        "run: python -m pip install --upgrade numba"
    )

IN_ORDER = {"contract", "nsz", "arcp", "afn"}  # what fast arithmetic may do; never: forget NaN and infinity


def _content(constant: Any) -> Any:
    """What a constant is; of code, what it computes wherever it lies: instructions, names and constants."""
    if hasattr(constant, "co_code"):
        return constant.co_code, constant.co_names, constant.co_varnames, [*map(_content, constant.co_consts)]
    return sorted(map(repr, constant)) if isinstance(constant, frozenset) else repr(constant)


# What tells this text from all others.
TEXT = sha256(repr(_content(sys._getframe().f_code)).encode()).hexdigest()[:16]


class _Entries(IndexDataCacheFile):
    """The files of Numba's cache. What is damaged in them, or of another text, is compiled anew."""

    def save(self, key: Any, data: Any) -> None:
        content = self._dump(((TEXT, key), data))
        super().save(key, (sha256(content).digest(), content))

    def load(self, key: Any) -> Any:
        try:
            found = super().load(key)
            if found and found[0] == sha256(found[1]).digest():
                owner, data = pickle.loads(found[1])
                return data if owner == (TEXT, key) else None
        except Exception:  # whatever reading a damaged file may raise
            return None

    def _load_index(self) -> dict[Any, str]:
        try:
            index = super()._load_index()
            names = {self._data_name(number + 1) for number in range(len(index))}
            return index if names.issuperset(index.values()) else {}
        except Exception:
            return {}


class _Cache(FunctionCache):
    """Numba's cache on disk, which saves time and is never in the way."""

    def __init__(self, function: Callable) -> None:
        super().__init__(function)
        self._cache_file = _Entries(self._cache_path, self._impl.filename_base, TEXT)

    def save_overload(self, signature: Any, result: Any) -> None:
        with suppress(OSError):  # a full disk, or a folder that has become read-only
            super().save_overload(signature, result)


def compiled(function: Callable, may_regroup_sums: bool = True, **options: Any) -> Any:
    """Compile with Numba, kept on disk where there is a place to keep it.

    While it runs other threads of Python do: nothing that is compiled here touches Python's objects.
    """
    fastmath = {*IN_ORDER, "reassoc"} if may_regroup_sums else IN_ORDER
    dispatcher = njit(nogil=True, error_model="numpy", **{"fastmath": fastmath, **options})(function)
    if not config.DISABLE_JIT:
        with suppress(RuntimeError, OSError):  # without a place it is compiled in every process
            dispatcher._cache = _Cache(function)
        # In a process Numba tells compiled functions apart by these names, and what is kept on disk imports
        # the module: so they say which text it is, and one that is there whichever way this file is loaded.
        function.__module__, function.__qualname__ = "builtins", f"{TEXT}.{function.__name__}"
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
