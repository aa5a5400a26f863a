"""Emitted modules of specs, each built and compiled once: in a process, and of all processes by one."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.api import build
from symgrad.turns import one_at_a_time

if TYPE_CHECKING:
    from types import ModuleType

    from symgrad.spec.model import Spec

_MODULES: dict[Spec, ModuleType] = {}
_LOCK = Lock()


def module_of(spec: Spec) -> ModuleType:
    """The module of a spec, ready to train and to predict.

    Raises:
        SpecError: the spec does not describe a network.
        NotIdenticalError: the module would compute something else than the spec says.
    """
    with _LOCK:
        if spec not in _MODULES:
            _MODULES[spec] = _compiled(build(spec), trains=spec.loss is not None)
        return _MODULES[spec]


def _compiled(module: ModuleType, trains: bool) -> ModuleType:
    """Numba compiles at the first calls, and keeps the result for those who waited."""
    with one_at_a_time(Path(str(module.__file__)).with_suffix(".lock")):
        params = module.init_params(0)
        rows = {name: _rows(module, name) for name in (*module.INPUTS, *module.TARGETS)}
        inputs = [rows[name] for name in module.INPUTS]
        if trains:
            time = {"epochs": 1} if module.EPOCHS else {}
            module.train_epoch(params, module.init_state(params), *rows.values(), batch_size=1, **time)
        module.predict(module.init_params(0), *inputs)
    return module


def _rows(module: ModuleType, name: str) -> Any:
    """One row of ones; of labels, of zeros."""
    shape = [1 if isinstance(axis, str) else axis for axis in module.AXES[name]]
    return np.zeros(shape, np.int64) if name in module.CLASSES else np.ones(shape)
