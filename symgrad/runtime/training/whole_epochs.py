"""An epoch without rows: one step on all data."""

from typing import Any

from symgrad.runtime.given_arrays import _is_full
from symgrad.runtime.smallest_model import Params, State
from symgrad.runtime.training.training_steps import _train_step


def _train_epoch(
    params: Params, state: State, data: tuple[Any, ...], batch_size: Any, order: Any, setting: tuple[Any, ...]
) -> float:
    if not _is_full(batch_size) or order is not None:
        raise ValueError(
            "batch_size: this network has no axis of rows, so every step takes all data; use 'full'"
        )
    return _train_step(params, state, data, setting)
