"""Load emitted modules from their files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import numpy as np

from symgrad.errors import ModuleError
from symgrad.loaded import fresh_module

ModuleSource: TypeAlias = ModuleType | str | os.PathLike[str]
"""What an emitted module may be given as: itself, or the path of its file."""

_NAMES = """
SPEC_NAME SPEC_SHA256 SYMGRAD_VERSION DTYPE TASK INPUTS TARGETS Params State init_params forward
predict loss loss_and_grad init_state update train_step train_epoch fit flatten unflatten verify
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


def double_precision_twin(module: ModuleType) -> ModuleType:
    """The same file once more, computing in float64: its kernels take the type of their arrays."""
    twin = _run(Path(str(module.__file__)))
    vars(twin)["DTYPE"] = np.float64
    return twin


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
