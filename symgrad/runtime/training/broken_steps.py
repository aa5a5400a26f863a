"""Which step of a training broke, and which tensor in it was the first that is not finite."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _arguments
from symgrad.runtime.kept_memory import _with_constants
from symgrad.runtime.parameter_vectors import _copy_of_params, flatten
from symgrad.runtime.smallest_model import (
    AXES,
    BATCH_AXIS,
    DTYPE,
    INPUTS,
    TARGETS,
    Params,
    State,
    _loss,
    _tensors,
    _work_size,
    train_epoch,
)
from symgrad.runtime.training.training_steps import _loss_and_gradient


def _what_broke(
    start: tuple[Params, State], data: tuple[Any, ...], batches: Sequence[Any], how: Mapping[str, Any]
) -> str:
    """Make some steps of an epoch again, each alone, and say what broke in which."""
    params, state = start
    said = "a parameter is not finite"
    for rows in batches:
        before, step = _copy_of_params(params), int(state.step[0]) + 1
        batch = _rows_of(data, rows, state)
        value = train_epoch(params, state, *data, batch_size="full", order=rows, **how)
        at = f"in epoch {how['epoch'] + 1}, step {step}"
        if not np.isfinite(value):
            said = f"the loss is {value} {at}{_first(_met(before, batch))}"
            break
        if not np.isfinite(flatten(params)).all():
            gradient = _named("the gradient of ", _loss_and_gradient(before, batch)[1])
            said = f"a parameter is not finite {at}{_first([*gradient, *_named('the new ', params)])}"
            break
    return f"{said}; lower the learning rate"


def _rows_of(data: tuple[Any, ...], rows: Any, _: State) -> tuple[Any, ...]:
    """The data of some rows."""
    pairs = zip(INPUTS + TARGETS, data, strict=True)
    has_rows = {name for name, axes in AXES.items() if BATCH_AXIS and axes[:1] == (BATCH_AXIS,)}
    return tuple(array[rows] if name in has_rows else array for name, array in pairs)


def _met(params: Params, data: tuple[Any, ...]) -> list[tuple[str, np.ndarray]]:
    """What the loss is computed from, by name, in the order in which it is."""
    arrays, extents = _arguments(INPUTS + TARGETS, data)
    work = _with_constants(np.empty(_work_size(*extents), DTYPE))
    with np.errstate(all="ignore"):
        _loss(flatten(params), *arrays, work, *extents)
    return [*_named("", params), *_tensors(work, *extents)]


def _named(what: str, arrays: Params) -> list[tuple[str, np.ndarray]]:
    return [(f"{what}{name}", array) for name, array in arrays._asdict().items()]


def _first(arrays: Iterable[tuple[str, np.ndarray]]) -> str:
    """The first entry that is not finite, in words; none where all are."""
    for name, values in arrays:
        places = np.argwhere(~np.isfinite(values))
        if len(places):
            place = tuple(map(int, places[0]))
            shape, at = (f" {list(values.shape)}", f" at {list(place)}") if place else ("", "")
            return f": first of all, {name}{shape} is {float(values[place])}{at}"
    return ""
