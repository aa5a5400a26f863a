"""Steps that know what they draw by; in place of those that draw nothing."""

from typing import Any

from symgrad.runtime.given_arrays import _generator
from symgrad.runtime.given_hyper import _setting
from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.optional.drawing.drawing_arguments import _arguments
from symgrad.runtime.optional.drawing.drawing_state import _check_state, init_state
from symgrad.runtime.parameter_vectors import _Alone, _writable_vector
from symgrad.runtime.smallest_model import (
    AXES,
    BATCH_AXIS,
    INPUTS,
    MICRO_BATCH_SIZE,
    SIZE,
    STEP_MEMORY,
    TARGETS,
    Params,
    State,
    _step,
    _work_size,
    init_params,
)
from symgrad.runtime.training.row_epochs import _train_epoch


def _train_step(params: Params, state: State, data: tuple[Any, ...], setting: tuple[Any, ...]) -> float:
    if MICRO_BATCH_SIZE:
        return _train_epoch(params, state, data, "full", None, setting)
    theta = _writable_vector(params)
    _check_state(state)
    arrays, extents = _arguments(INPUTS + TARGETS, data)
    given = arrays[: len(data)]
    vectors = (theta, *(_kept(name, SIZE) for name in STEP_MEMORY))
    work = _kept("work", _work_size(*extents))
    with _Alone(theta):
        return float(_step(*vectors, tuple(state), *_setting(setting), *given, work, *extents))


def _rows_of(data: tuple[Any, ...], rows: Any, state: State) -> tuple[Any, ...]:
    """The data of some rows, and what a step at this state draws by."""
    pairs = zip(INPUTS + TARGETS, data, strict=True)
    has_rows = {name for name, axes in AXES.items() if BATCH_AXIS and axes[:1] == (BATCH_AXIS,)}
    key = int(state.step[1]), int(state.step[0]), 0
    return (*(array[rows] if name in has_rows else array for name, array in pairs), key)


def _begun(params: Params | None, state: State | None, hyper: Any, seed: Any, start: Any) -> State | None:
    """What training begins with: a new state draws by the seed of `fit`."""
    if state is not None or start:
        return state
    _generator(seed)
    return init_state(init_params() if params is None else params, hyper, seed)
