"""Loss, gradient and steps."""

from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _arguments
from symgrad.runtime.given_hyper import _setting
from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.parameter_vectors import (
    _Alone,
    _check_params,
    _check_state,
    _writable_vector,
    flatten,
    unflatten,
)
from symgrad.runtime.smallest_model import (
    DTYPE,
    INPUTS,
    MICRO_BATCH_SIZE,
    SIZE,
    STEP_MEMORY,
    TARGETS,
    Params,
    State,
    _gradient,
    _input_gradients,
    _loss,
    _step,
    _update,
    _work_size,
)
from symgrad.runtime.training.row_epochs import _train_epoch


def _loss_of(params: Params, data: tuple[Any, ...]) -> float:
    arrays, extents = _arguments(INPUTS + TARGETS, data)
    return float(_loss(flatten(params), *arrays, _kept("work", _work_size(*extents)), *extents))


def _loss_and_gradient(params: Params, data: tuple[Any, ...]) -> tuple[float, Params]:
    arrays, extents = _arguments(INPUTS + TARGETS, data)
    grad = np.empty(SIZE, DTYPE)
    value = _gradient(flatten(params), grad, *arrays, _kept("work", _work_size(*extents)), *extents)
    return float(value), unflatten(grad)


def _gradients_in_work(params: Params, data: tuple[Any, ...]) -> tuple[np.ndarray, ...]:
    arrays, extents = _arguments(INPUTS + TARGETS, data)
    work = _kept("work", _work_size(*extents))
    _gradient(flatten(params), _kept("grad", SIZE), *arrays, work, *extents)
    return _input_gradients(work, *extents)


def _updated(params: Params, grads: Params, state: State, setting: tuple[Any, ...]) -> None:
    theta = _writable_vector(params)
    _check_params(grads, "grads")
    _check_state(state)
    with _Alone(theta):
        _update(theta, flatten(grads), *state, *_setting(setting))


def _train_step(params: Params, state: State, data: tuple[Any, ...], setting: tuple[Any, ...]) -> float:
    if MICRO_BATCH_SIZE:
        return _train_epoch(params, state, data, "full", None, setting)
    theta = _writable_vector(params)
    _check_state(state)
    arrays, extents = _arguments(INPUTS + TARGETS, data)
    vectors = (theta, *(_kept(name, SIZE) for name in STEP_MEMORY))
    work = _kept("work", _work_size(*extents))
    with _Alone(theta):
        return float(_step(*vectors, tuple(state), *_setting(setting), *arrays, work, *extents))
