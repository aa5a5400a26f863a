"""An epoch over rows in batches."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import (
    _as_numbers,
    _checked,
    _fitting,
    _given,
    _own_numbers,
    _rows_of_batch,
)
from symgrad.runtime.given_hyper import _setting
from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.parameter_vectors import _Alone, _check_state, _writable_vector
from symgrad.runtime.smallest_model import (
    AXES,
    BATCH_AXIS,
    CLASSES,
    FREE_AXES,
    FULL_BATCH,
    INPUTS,
    MICRO_BATCH_SIZE,
    SIZE,
    STEP_MEMORY,
    TARGETS,
    Params,
    State,
    _epoch,
    _sizes,
    _work_size,
)


def _train_epoch(
    params: Params, state: State, data: tuple[Any, ...], batch_size: Any, order: Any, setting: tuple[Any, ...]
) -> float:
    arrays, sizes, order, batch_size, theta, setting = _asked_of_epoch(
        params, data, batch_size, order, setting
    )
    _check_state(state)
    derived = _sizes(*sizes.values())[len(FREE_AXES) :]
    at_once = min(MICRO_BATCH_SIZE or batch_size, batch_size)
    sizes[BATCH_AXIS] = at_once
    work = _kept("work", _work_size(*sizes.values(), *derived))
    rows, flat = _memory_for_rows(arrays, at_once)
    del sizes[BATCH_AXIS]
    vectors = (theta, *(_kept(name, SIZE) for name in STEP_MEMORY))
    batches = order, batch_size, rows, work
    with _Alone(theta):
        value = float(_epoch(*vectors, tuple(state), *setting, *flat, *batches, *sizes.values(), *derived))
    if not math.isfinite(value):
        _given(INPUTS + TARGETS, data)  # an entry that is not finite is told with its place
    return value


def _memory_for_rows(
    arrays: Sequence[np.ndarray], count: int
) -> tuple[tuple[np.ndarray, ...], list[np.ndarray]]:
    """Memory for so many rows of all that has rows, and all data, this as vectors."""
    rows, flat = [], []
    for name, array in zip(INPUTS + TARGETS, arrays, strict=True):
        if AXES[name][:1] == (BATCH_AXIS,):
            rows.append(np.empty(count * (array.size // len(array)), array.dtype))
            array = array.reshape(-1)
        flat.append(array)
    return tuple(rows), flat


def _asked_of_epoch(
    params: Params, data: tuple[Any, ...], batch_size: Any, order: Any, setting: tuple[Any, ...]
) -> tuple[list[np.ndarray], dict[str, int], np.ndarray, int, np.ndarray, tuple[Any, ...]]:
    """What a caller gave, checked: arrays, the sizes of free axes, the order of rows, those of a batch, the
    vector of parameters, and what steps are told.
    """
    arrays, extents = _given(INPUTS + TARGETS, data, check=_checked_but_rows)
    sizes = dict(zip(FREE_AXES, extents, strict=False))
    order = np.arange(sizes[BATCH_AXIS]) if order is None else _checked_order(order, sizes[BATCH_AXIS])
    batch_size = _rows_of_batch(batch_size, len(order))
    if FULL_BATCH and batch_size < len(order):
        raise ValueError(
            f"batch_size: every step needs all {len(order)} rows; use 'full'. The reason: {FULL_BATCH}"
        )
    return arrays, sizes, order, batch_size, _writable_vector(params), _setting(setting)


def _checked_but_rows(name: str, value: Any, extents: dict[str, int], dtype: type) -> np.ndarray:
    """One argument of an epoch: whether its rows are finite is seen when they are gathered."""
    has_rows = BATCH_AXIS in AXES[name] and name not in CLASSES
    return (_fitting if has_rows else _checked)(name, value, extents, dtype)


def _checked_order(order: Any, rows: int) -> np.ndarray:
    given = _as_numbers("order", order)
    is_whole = given.ndim == 1 and given.dtype.kind in "iu" and given.size
    numbers = _own_numbers(given) if is_whole else np.empty(0, np.int64)
    if not numbers.size or numbers.min() < 0 or numbers.max() >= rows:
        raise ValueError(f"order: expected a vector of row numbers from 0 to {rows - 1}")
    return numbers
