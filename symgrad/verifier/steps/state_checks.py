"""Checks of the states of a model: their next values by the spec, and that their gradient is 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.interpretation.arithmetic import choose
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.interpretation.philox_numbers import INFERENCE, Key
from symgrad.verifier.trials.trial import Measure, Trial, measured, mismatch, vector_of, worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.report import Check

SAME, _STEPS = 1e-9, 3


def state_checks(trial: Trial) -> Iterator[Check]:
    """Of a model with states, what they become in steps, and their gradient."""
    if trial.model.next_values:
        states = ", ".join(trial.model.states)
        what = f"{states} after each of {_STEPS} steps against the spec"
        yield measured("states", what, SAME, lambda: _steps(trial))
        yield measured("held", f"the gradient of {states} is 0", 0.0, lambda: _gradients(trial))


def advanced(trial: Trial, vector: Array, point: Array, data: Sequence[Array], key: Key = INFERENCE) -> Array:
    """A vector of parameters after an update, with what the spec says its states are then.

    Next values are of the `point` at which the step takes its gradient.
    """
    if not trial.model.next_values:
        return vector
    found, result = next_states(trial, point, data, key), np.array(vector)
    for name, entries in _entries(trial).items():
        if name in found:
            result[entries] = np.ravel(found[name])
    return result


def next_states(
    trial: Trial, point: Array, data: Sequence[Array], key: Key = INFERENCE
) -> Mapping[str, Array]:
    """What a step from a point makes of the states, by the spec; what it draws it draws by a key."""
    tensors = (*trial.model.spec.inputs, *trial.model.spec.targets)
    arrays: dict[str, Any] = dict(zip((t.name for t in tensors), data, strict=True))
    blocks = _entries(trial)
    arrays |= {n: np.reshape(point[blocks[n]], shape) for n, shape in trial.twin.shapes.items()}
    values = interpret(trial.model, arrays, choose(trial.points[0].exact.work), key=key).tensors
    return {n.state: np.asarray(values[n.equation], np.float64) for n in trial.model.next_values}


def _entries(trial: Trial) -> Mapping[str, slice]:
    """Where the entries of every parameter lie in a vector of all."""
    found, first = {}, 0
    for name in trial.twin.fields():
        size = math.prod(trial.twin.shapes[name])
        found[name] = slice(first, first + size)
        first += size
    return found


def _steps(trial: Trial) -> Measure:
    twin, sample, errors = trial.twin, trial.points[0].sample, []
    params = twin.params(twin.vector(sample.parameters))
    state = twin.call("init_state", params)
    for n in range(_STEPS):
        point = vector_of(params)
        if trial.model.optimizer.look_ahead is not None:
            point = vector_of(twin.call("gradient_point", params, state))
        due = next_states(trial, point, sample.data, twin.key(n))
        twin.call("train_step", params, state, *twin.data(sample))
        found = twin.blocks(params, "train_step")
        for name, values in due.items():
            if np.isfinite(values).all():
                off = mismatch(found[name], values)
                errors.append((off, f"step {n + 1} leaves {name} off by {off:.2g} of its largest entry"))
    return worst(errors)


def _gradients(trial: Trial) -> Measure:
    twin = trial.twin
    for point in trial.points:
        _, gradients = twin.loss_and_grad(twin.vector(point.sample.parameters), point.sample.data)
        for name in trial.model.states:
            if np.any(gradients[name]):
                return math.inf, f"the gradient of {name} is not 0 {point.name}, though it is a state"
    return 0.0, ""
