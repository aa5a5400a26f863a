"""Updates, steps and epochs with other hyper-parameters than the module's own, against the spec's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.spec.expansion.hyper_parameters import with_hyper
from symgrad.verifier.interpretation.optimizer_meaning import gradient_point, start, step
from symgrad.verifier.sampling.hyper_values import drawn_hyper
from symgrad.verifier.steps.epochs import scheduled
from symgrad.verifier.steps.state_checks import advanced
from symgrad.verifier.trials.trial import (
    Measure,
    Trial,
    measured,
    moved,
    moved_off,
    settled,
    vector_arithmetic,
    vector_of,
    worst,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.report import Check

_UPDATE = 1e-9
_EPOCH = 2
_STEPS = (0, 7, 0)
"""How many steps were made before, for each draw."""


def other_hyper_checks(trial: Trial, gradients: list[Array]) -> Iterator[Check]:
    """One row, where a module has hyper-parameters; `gradients` are for updates."""
    if trial.model.hyper and "HYPER" in trial.twin.door.facts.names:
        what = "updates, steps, epochs with other hyper-parameters against the spec with these"
        yield measured("hyper", what, _UPDATE, lambda: _worst(trial, gradients))


def _worst(trial: Trial, gradients: list[Array]) -> Measure:
    rng = np.random.default_rng((trial.seed, 13))
    errors = []
    for steps in _STEPS:
        values = drawn_hyper(trial.model, rng)
        if steps:  # what is not said stays as the spec has it
            values = {name: value for name, value in values.items() if rng.random() < 0.5}
        model = with_hyper(trial.model, values)
        told = ", ".join(f"{name}={value:.6g}" for name, value in values.items())
        errors.append(_told(_updates(trial, model, values, gradients, steps), told))
        errors.append(_told(_step(trial, values), told))
        if trial.model.batch_axis:
            errors.append(_told(scheduled(trial, model, _EPOCH, hyper=values), told))
    return worst(errors)


def _told(measure: Measure, values: str) -> Measure:
    error, message = measure
    return error, f"with {values}: {message}"


def _updates(
    trial: Trial, model: Model, values: dict[str, float], gradients: list[Array], steps: int
) -> Measure:
    twin, theta = trial.twin, trial.twin.vector(trial.points[0].sample.parameters)
    arithmetic = vector_arithmetic(theta.size)
    params = twin.params(theta.copy())
    state = twin.call("init_state", params, hyper=values)
    state.step[0] = steps
    progress = replace(start(model, theta, arithmetic, twin.shapes), steps=steps)
    got, expected, errors = [theta], [theta], []
    for gradient in gradients:
        if model.optimizer.look_ahead is not None:
            ahead = vector_of(twin.call("gradient_point", params, state, epoch=_EPOCH, hyper=values))
            point = np.asarray(gradient_point(model, progress, _EPOCH, arithmetic), dtype=np.float64)
            errors.append((moved_off(ahead, point, theta), "gradient_point is elsewhere"))
        twin.call("update", params, twin.params(gradient.copy()), state, epoch=_EPOCH, hyper=values)
        progress = step(model, progress, gradient, _EPOCH, arithmetic)
        got.append(vector_of(params))
        expected.append(np.asarray(progress.theta, dtype=np.float64))
    if not np.isfinite(expected).all():
        return 0.0, ""  # the equations have no value there
    error, n = max(moved(got, expected, 2.0**-52))
    name = model.optimizer.name
    return worst([*errors, (error, f"update {n} differs from the equations of {name} by {error:.2g}")])


def _step(trial: Trial, values: dict[str, float]) -> Measure:
    """train_step is loss_and_grad, then update, with them too."""
    twin, sample = trial.twin, settled(trial.twin, trial.points[0].sample, [trial.points[0].sample.data])
    before = twin.vector(sample.parameters)
    together, apart = twin.params(before.copy()), twin.params(before.copy())
    states = [twin.call("init_state", params, hyper=values) for params in (together, apart)]
    twin.call("train_step", together, states[0], *twin.data(sample), epoch=_EPOCH, hyper=values)
    point = before
    if trial.model.optimizer.look_ahead is not None:
        point = vector_of(twin.call("gradient_point", apart, states[1], epoch=_EPOCH, hyper=values))
    _, gradients = twin.loss_and_grad(point, sample.data, twin.key(0))
    options: dict[str, Any] = {"epoch": _EPOCH, "hyper": values}
    twin.call("update", apart, twin.params(twin.vector(gradients)), states[1], **options)
    expected = advanced(trial, vector_of(apart), point, sample.data, twin.key(0))
    error = moved_off(vector_of(together), expected, before)
    return error, f"train_step ends {error:.2g} of the change away from loss_and_grad, update"
