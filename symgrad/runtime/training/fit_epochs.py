"""Training for some epochs, of which functions of the caller are told."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _checked, _generator, _rows_of_batch, _whole
from symgrad.runtime.parameter_vectors import _copy_of_params, _copy_of_state, flatten, init_state
from symgrad.runtime.smallest_model import (
    BATCH_AXIS,
    DTYPE,
    EPOCHS,
    INPUTS,
    TARGETS,
    Params,
    State,
    init_params,
    train_epoch,
)
from symgrad.runtime.training.broken_steps import _what_broke


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
    after_steps: Any,
    comm: Any,
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
    params = init_params(seed) if params is None else _copy_of_params(params)
    given, state = state, init_state(params, hyper) if state is None else _copy_of_state(state)
    rng, history, shuffle, order = _generator(seed), [], _shuffling(shuffle), None
    rows, told = extents.get(BATCH_AXIS, 1), _told_of_steps(after_steps)
    _check_told_of_epochs(after_epoch)
    batches = batch_size, _rows_of_batch(batch_size, rows) if BATCH_AXIS else 1, rows
    shared = {} if comm is None else {"comm": comm}
    for epoch in range(stop):
        if BATCH_AXIS and (shuffle == "each_epoch" or (shuffle == "once" and epoch == 0)):
            order = rng.permutation(rows)
        if epoch < start:
            continue
        setting = {"epoch": epoch, "epochs": epochs} if EPOCHS else {"epoch": epoch}
        how = {**setting, **shared}
        value, stops, hyper = _fitted_epoch((params, state), data, batches, order, how, hyper, told)
        history.append(value)
        if after_epoch is not None and not stops:
            said = after_epoch(epoch + 1, value, _copy_of_params(params))
            stops, hyper = _answered("after_epoch", said, hyper)
        if stops:
            break
    for old, new in zip(given or (), state, strict=False):
        old[...] = new
    return params, history


def _fitted_epoch(
    trained: tuple[Params, State],
    data: tuple[Any, ...],
    batches: tuple[Any, int, int],
    order: np.ndarray | None,
    setting: dict[str, Any],
    hyper: Any,
    told: tuple[int, Callable | None],
) -> tuple[float, bool, Any]:
    """An epoch in place, in pieces: its mean loss per row, whether training ends, `hyper` from here on."""
    (params, state), (batch_size, size, rows), (every, call) = trained, batches, told
    steps, mean, count = -(-rows // size), 0.0, 0
    before = setting["epoch"] * steps
    for first, last in _pieces(before, steps, every):
        part, weight = order, 1
        if last - first < steps:
            part = (np.arange(rows) if order is None else order)[first * size : last * size]
            weight = len(part)
        start, how = (_copy_of_params(params), _copy_of_state(state)), {"hyper": hyper, **setting}
        value = train_epoch(params, state, *data, batch_size=batch_size, order=part, **how)
        if not (np.isfinite(value) and np.isfinite(flatten(params)).all()):
            raise FloatingPointError(_what_broke(start, data, _batches(part, size, rows), how))
        count += weight
        mean = mean * ((count - weight) / count) + value * (weight / count)
        if call is not None and (before + last) % every == 0:
            copied = _copy_of_params(params)
            stops, hyper = _answered("after_steps", call(before + last, value, copied), hyper)
            if stops:
                return mean, True, hyper
    return mean, False, hyper


def _batches(order: np.ndarray | None, size: int, rows: int) -> list[Any]:
    """The rows of each step; None: all data, which have no rows."""
    if not BATCH_AXIS:
        return [None]
    numbers = np.arange(rows) if order is None else order
    return [numbers[first : first + size] for first in range(0, len(numbers), size)]


def _pieces(before: int, steps: int, every: int) -> Iterator[tuple[int, int]]:
    """The first step of each piece of an epoch, from 0, and the one after its last."""
    first = 0
    while first < steps:
        last = min(steps, first + every - (before + first) % every) if every else steps
        yield first, last
        first = last


def _told_of_steps(after_steps: Any) -> tuple[int, Callable | None]:
    """After how many steps each a function is called, and which; without one, 0 and None."""
    if after_steps is None:
        return 0, None
    if not isinstance(after_steps, (tuple, list)) or len(after_steps) != 2 or not callable(after_steps[1]):
        raise ValueError(
            f"after_steps: expected a number of steps and a function, (100, told), got {after_steps!r}"
        )
    return _whole("after_steps", after_steps[0], 1), after_steps[1]


def _check_told_of_epochs(after_epoch: Any) -> None:
    if after_epoch is not None and not callable(after_epoch):
        raise TypeError(
            f"after_epoch: expected a function of an epoch, its loss and parameters, got {after_epoch!r}"
        )


def _answered(name: str, said: Any, hyper: Any) -> tuple[bool, Any]:
    """Whether training ends, and the hyper-parameters from here on."""
    if isinstance(said, dict):
        return False, {**(hyper or {}), **said}
    if said is None or isinstance(said, (bool, np.bool_)):
        return bool(said), hyper
    raise TypeError(f"{name}: expected None, True to stop, or a dict as hyper is, got {said!r}")


def _planned(epochs: Any, start: Any, stop: Any) -> tuple[int, int, int]:
    epochs, start = _whole("epochs", epochs, 1), _whole("start", start, 0)
    stop = epochs if stop is None else _whole("stop", stop, 1)
    if start >= epochs:
        raise ValueError(f"start: of {epochs} epochs, expected 0 to {epochs - 1}, got {start}")
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
