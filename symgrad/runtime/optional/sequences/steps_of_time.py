"""A recurrence that goes on one step of time in a call."""

from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _checked, _fitting, _given
from symgrad.runtime.kept_memory import _kept
from symgrad.runtime.parameter_vectors import flatten
from symgrad.runtime.smallest_model import (
    DTYPE,
    PREDICTED_AT_STEP,
    STEP_AXES,
    STEP_INPUTS,
    Carry,
    Params,
    _one_step,
    _one_step_results,
    _one_step_work_size,
)


def _stepped(params: Params, carry: Any, inputs: tuple[Any, ...]) -> tuple[Any, Carry]:
    """What is predicted at a step, and what is carried to the next one.

    What is carried to the first follows from no step, so it is found in one of nothing.
    """
    if carry is None:
        carry = _at_step(params, inputs, _nothing(inputs))[-len(Carry._fields) :]
    elif not isinstance(carry, tuple) or len(carry) != len(Carry._fields):
        raise TypeError(f"carry: expected None or what a step carries on, got {type(carry).__name__}")
    found = _at_step(params, inputs, carry)
    following = Carry(*found[PREDICTED_AT_STEP : -len(Carry._fields)])
    return (found[0] if PREDICTED_AT_STEP == 1 else found[:PREDICTED_AT_STEP]), following


def _at_step(params: Params, inputs: tuple[Any, ...], carry: tuple[Any, ...]) -> tuple[np.ndarray, ...]:
    """All that a step gives."""
    arrays, extents = _given_at_step(tuple(STEP_AXES), (*inputs, *carry))
    theta, work = flatten(params), _kept("work", _one_step_work_size(*extents))
    _one_step(theta, *arrays, work, *extents)
    found: tuple[np.ndarray, ...] = _one_step_results(work, *extents)
    return found


def _given_at_step(names: tuple[str, ...], data: tuple[Any, ...]) -> tuple[list[np.ndarray], list[int]]:
    """What a caller gave for one step, checked."""
    return _given(names, data, None, _checked_at_step)


def _checked_at_step(name: str, value: Any, extents: dict[str, int], dtype: type) -> np.ndarray:
    """One argument of a step; what is carried may be the logarithm of 0."""
    if not name.startswith("carry."):
        return _checked(name, value, extents, dtype, STEP_AXES)
    fitting = _fitting(name, value, extents, dtype, STEP_AXES)
    _checked(name, np.where(fitting == -np.inf, 0, fitting), extents, dtype, STEP_AXES)
    return fitting


def _nothing(inputs: tuple[Any, ...]) -> tuple[np.ndarray, ...]:
    """Zeros in the place of what is carried, by the sizes of what is given."""
    sizes = {
        axis: size
        for name, array in zip(STEP_INPUTS, inputs, strict=True)
        for axis, size in zip(STEP_AXES[name], np.shape(array), strict=False)
    }
    carried = [STEP_AXES[f"carry.{name}"] for name in Carry._fields]
    return tuple(np.zeros([sizes.get(axis, axis) for axis in axes], DTYPE) for axes in carried)
