"""Emitted modules of estimators, compiled by the calls that an estimator makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.judgement import ready_modules

if TYPE_CHECKING:
    from types import ModuleType

    from symgrad.spec.model import Spec


def module_of(spec: Spec) -> ModuleType:
    """The module of a spec, ready to train and to predict.

    Raises:
        SpecError: the spec does not describe a network.
        NotIdenticalError: the module would compute something else than the spec says.
    """
    return ready_modules.module_of(spec, _train_and_predict if spec.loss is not None else _predict)


def _train_and_predict(module: ModuleType) -> None:
    params, time = module.init_params(0), {"epochs": 1} if module.EPOCHS else {}
    rows = [_rows(module, name) for name in (*module.INPUTS, *module.TARGETS)]
    module.train_epoch(params, module.init_state(params), *rows, batch_size=1, **time)
    _predict(module)


def _predict(module: ModuleType) -> None:
    module.predict(module.init_params(0), *(_rows(module, name) for name in module.INPUTS))


def _rows(module: ModuleType, name: str) -> Any:
    """One row of ones; of labels, of zeros."""
    shape = [1 if isinstance(axis, str) else axis for axis in module.AXES[name]]
    return np.zeros(shape, np.int64) if name in module.CLASSES else np.ones(shape)
