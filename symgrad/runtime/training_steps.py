"""Loss, gradient and training."""

import math
from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _arguments, _checked, _generator, _whole
from symgrad.runtime.given_hyper import _setting
from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.parameter_vectors import (
    _Alone,
    _check_params,
    _check_state,
    _copy_of_state,
    _writable_vector,
    flatten,
    init_state,
    unflatten,
)
from symgrad.runtime.row_epochs import _train_epoch
from symgrad.runtime.smallest_model import (
    BATCH_AXIS,
    DTYPE,
    EPOCHS,
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
    init_params,
    train_epoch,
)


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


def _fit(
    data: tuple[Any, ...],
    plan: tuple[Any, Any, Any],
    batch_size: Any,
    seed: Any,
    params: Params | None,
    state: State | None,
    shuffle: Any,
    hyper: Any,
    after_epoch: Any,
) -> tuple[Params, list[float]]:
    epochs, start, stop = _planned(*plan)
    if start and (params is None or state is None):
        raise ValueError(
            f"start: to go on after {start} epochs, give the params and the state that they left"
        )
    extents: dict[str, int] = {}
    data = tuple(
        _checked(name, value, extents, DTYPE) for name, value in zip(INPUTS + TARGETS, data, strict=True)
    )
    params = init_params(seed) if params is None else unflatten(flatten(params).copy())
    given, state = state, init_state(params, hyper) if state is None else _copy_of_state(state)
    rng, history, shuffle, order = _generator(seed), [], _shuffling(shuffle), None
    for epoch in range(stop):
        if BATCH_AXIS and (shuffle == "each_epoch" or (shuffle == "once" and epoch == 0)):
            order = rng.permutation(extents[BATCH_AXIS])
        if epoch < start:
            continue
        setting = {"epoch": epoch, "epochs": epochs} if EPOCHS else {"epoch": epoch}
        value = train_epoch(params, state, *data, batch_size=batch_size, order=order, hyper=hyper, **setting)
        if not math.isfinite(value):
            where = f"in epoch {epoch + 1}, step {int(state.step[0]) + 1}"
            raise FloatingPointError(f"the loss is {value} {where}; lower the learning rate")
        history.append(value)
        if after_epoch is not None:
            copied = unflatten(flatten(params).copy())
            stops, hyper = _answered(after_epoch(epoch + 1, value, copied), hyper)
            if stops:
                break
    for old, new in zip(given or (), state, strict=False):
        old[...] = new
    return params, history


def _answered(said: Any, hyper: Any) -> tuple[bool, Any]:
    """Whether training ends, and the hyper-parameters from here on."""
    if isinstance(said, dict):
        return False, {**(hyper or {}), **said}
    if said is None or isinstance(said, (bool, np.bool_)):
        return bool(said), hyper
    raise TypeError(f"after_epoch: expected None, True to stop, or a dict as hyper is, got {said!r}")


def _planned(epochs: Any, start: Any, stop: Any) -> tuple[int, int, int]:
    epochs, start = _whole("epochs", epochs, 1), _whole("start", start, 0)
    stop = epochs if stop is None else _whole("stop", stop, 1)
    if not start < stop <= epochs:
        raise ValueError(
            f"stop: of {epochs} epochs after {start}, expected {start + 1} to {epochs}, got {stop}"
        )
    return epochs, start, stop


def _shuffling(shuffle: Any) -> str:
    how = ("never", "each_epoch")[shuffle] if isinstance(shuffle, bool) else shuffle
    if not isinstance(how, str) or how not in ("each_epoch", "once", "never"):
        raise ValueError(
            f"shuffle: expected 'each_epoch', 'once' or 'never', or a truth value, got {shuffle!r}"
        )
    return how
