"""Load emitted modules from their files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from symgrad.errors import ModuleError
from symgrad.loaded import fresh_module

if TYPE_CHECKING:
    from collections.abc import Collection

ModuleSource: TypeAlias = ModuleType | str | os.PathLike[str]
"""What an emitted module may be given as: itself, or the path of its file."""

_NAMES = """
SPEC_NAME SPEC_SHA256 NETWORK_SHA256 SYMGRAD_VERSION DTYPE TASK INPUTS TARGETS Params State init_params
forward predict loss loss_and_grad init_state update train_step train_epoch fit flatten unflatten verify
save load
"""
STABLE_NAMES = tuple(_NAMES.split())


def load(path: str | os.PathLike[str]) -> ModuleType:
    """The module in a file, loaded afresh.

    Raises:
        ModuleError: there is no such file, it cannot be run, or it lacks one of the stable names.
    """
    module = _run(Path(path))
    sys.modules[module.__name__] = module
    return module


def is_compiled() -> bool:
    """Whether modules are compiled in this process, as they then are in those that it starts."""
    config = getattr(sys.modules.get("numba"), "config", None)
    return not getattr(config, "DISABLE_JIT", False)


def double_precision_twin(module: ModuleType) -> ModuleType:
    """The same file once more, computing in float64: its kernels take the type of their arrays."""
    twin = _run(Path(str(module.__file__)))
    vars(twin)["DTYPE"] = np.float64
    return twin


_IN_PYTHON = {
    "view": "_array",
    "copy": "_copied",
    "prefetch": "_awaited",
    "gemm": "_gemm_by_numpy",
    "in_parts": "_one_after_another",
}
"""What drivers call that only compiled code can, and the same for Python, as a module's file has both."""


def run_drivers_in_python(module: ModuleType, but: Collection[str] = ()) -> tuple[str, ...]:
    """Let Python run a module's drivers over its compiled kernels, all `but` these; the names of those.

    Drivers take nearly all of Numba's time, once more for each of them, and next to no time where they run.
    What is compiled here can be called from Python, and is not kept on disk, where nobody expects that. What
    stays compiled sees the module as it was, and is kept.
    """
    names = vars(module)
    for kernel in (f for f in names.values() if _is_kernel(f)):
        kernel.targetoptions["no_cpython_wrapper"] = False
        kernel._cache.disable()
    drivers = {name: f for name, f in names.items() if _is_driver(f)}
    whole = dict(names)
    if but:
        whole |= {
            n: names[_manner(f)](FunctionType(f.py_func.__code__, whole, n)) for n, f in drivers.items()
        }
    scope = {**names, **{name: names[other] for name, other in _IN_PYTHON.items() if other in names}}
    scope |= {name: FunctionType(f.py_func.__code__, scope, name) for name, f in drivers.items()}
    names.update({name: (whole if name in but else scope)[name] for name in drivers})
    return tuple(sorted(drivers.keys() - set(but)))


_LONG = 6000
"""Bytes of drivers' code from which on compiling each of them anew takes longer than all that is judged."""

_FOR_TRAINING = ("_gradient", "_epoch")
"""Drivers that all others are parts of, whose time to compile is that of a first step of training."""


def lighten(module: ModuleType) -> tuple[str, ...]:
    """Let Python run the drivers of a long module, but those that training runs; the names of those."""
    drivers = [f for f in vars(module).values() if _is_driver(f)]
    is_long = sum(len(f.py_func.__code__.co_code) for f in drivers) > _LONG
    return run_drivers_in_python(module, _FOR_TRAINING) if is_long and "driver" in vars(module) else ()


def _is_driver(function: Any) -> bool:
    """Whether it calls kernels: it is said of such alone whether they become a part of their callers."""
    return _option(function, "inline") is not None


def _manner(driver: Any) -> str:
    """What of a module compiles a driver, or a section of one."""
    return "driver" if _option(driver, "inline") == "always" else "driver_section"


def _is_kernel(function: Any) -> bool:
    """Whether only compiled code can call it."""
    return _option(function, "no_cpython_wrapper") is True


def _option(function: Any, name: str) -> Any:
    """What Numba was told of a function; None where it is not compiled."""
    options = getattr(function, "targetoptions", None)
    return options.get(name) if isinstance(options, dict) else None


def _run(file: Path) -> ModuleType:
    """A new module with what the file defines."""
    if not file.is_file():
        raise ModuleError("no such file", at=str(file), remedy="generate the module first")
    if file.suffix != ".py":
        raise ModuleError("this is not a Python file", at=str(file), remedy="its name should end in .py")
    try:
        module = fresh_module(file)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # what an edited file raises is its own fault
        problem = f"the module cannot be loaded: {type(error).__name__}: {error}"
        raise ModuleError(problem, at=str(file), remedy="generate it anew") from None
    missing = [n for n in STABLE_NAMES if not hasattr(module, n)]
    if missing:
        remedy = "generate it with symgrad"
        raise ModuleError(f"the module lacks {', '.join(missing)}", at=str(file), remedy=remedy)
    return module
