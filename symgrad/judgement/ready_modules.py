"""Emitted modules of specs, each built and compiled once: in a process, and of all processes by one."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from symgrad.compiler.loading.cache import cached_module
from symgrad.judgement.gate import checked_text
from symgrad.turns import one_at_a_time

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from symgrad.spec.model import Spec

_MODULES: dict[Spec, ModuleType] = {}
_LOCK = Lock()


def module_of(spec: Spec, first_calls: Callable[[ModuleType], None]) -> ModuleType:
    """The module of a spec. At the `first_calls`, of all that will be called, Numba compiles it, and keeps
    the result for the processes that wait meanwhile.

    Raises:
        SpecError: the spec does not describe a network.
        NotIdenticalError: the module would compute something else than the spec says.
    """
    with _LOCK:
        if spec not in _MODULES:
            module = cached_module(spec, checked_text)
            with one_at_a_time(Path(str(module.__file__)).with_suffix(".lock")):
                first_calls(module)
            _MODULES[spec] = module
        return _MODULES[spec]
