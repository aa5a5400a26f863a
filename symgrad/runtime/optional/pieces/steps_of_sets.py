"""Steps on so many points of several sets that these go in pieces: the gradient comes first, then its use."""

import math
from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _given, _rows_of_batch
from symgrad.runtime.optional.pieces.loss_in_pieces import _loss_and_gradient
from symgrad.runtime.optional.pieces.sets_in_pieces import _by_pieces
from symgrad.runtime.smallest_model import AXES, BATCH_AXIS, FREE_AXES, INPUTS, TARGETS, Params, State
from symgrad.runtime.training.row_epochs import _checked_but_rows, _checked_order, _train_epoch
from symgrad.runtime.training.training_steps import _train_step, _updated


def _train_step_of_sets(
    params: Params, state: State, data: tuple[Any, ...], setting: tuple[Any, ...]
) -> float:
    if _is_one_piece(data):
        return _train_step(params, state, data, setting)
    value, gradients = _loss_and_gradient(params, data)
    if math.isfinite(value):
        _updated(params, gradients, state, setting)
    return value


def _train_epoch_of_sets(
    params: Params, state: State, data: tuple[Any, ...], batch_size: Any, order: Any, setting: tuple[Any, ...]
) -> float:
    names = INPUTS + TARGETS
    given, extents = _given(names, data, check=_checked_but_rows)
    rows = extents[FREE_AXES.index(BATCH_AXIS)]
    numbers = np.arange(rows) if order is None else _checked_order(order, rows)
    size = _rows_of_batch(batch_size, len(numbers))
    has_rows = [AXES[name][:1] == (BATCH_AXIS,) for name in names]
    first = tuple(a[:size] if own else a for a, own in zip(given, has_rows, strict=True))
    if _is_one_piece(first):
        return _train_epoch(params, state, data, batch_size, order, setting)
    total = 0.0
    for start in range(0, len(numbers), size):
        chosen = numbers[start : start + size]
        batch = tuple(a[chosen] if own else a for a, own in zip(given, has_rows, strict=True))
        value = _train_step_of_sets(params, state, batch, setting)
        if not math.isfinite(value):
            return value
        total += value * (len(chosen) / len(numbers))
    return total


def _is_one_piece(data: tuple[Any, ...]) -> bool:
    """Whether all points of these data are computed at once."""
    share, _ = next(_by_pieces(data))
    return share == 1.0
