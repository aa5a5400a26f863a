"""Updates where an edit may act that ordinary ones never meet.

Late steps and epochs, tiny and huge gradients, gradients of exactly 0, and parameters and gradients beside
the numbers that stand in the edit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from symgrad.verifier.interpretation.optimizer_meaning import start, step
from symgrad.verifier.steps.training_checks import UPDATE
from symgrad.verifier.trials.trial import Measure, Trial, measured, moved, vector_arithmetic, vector_of, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.report import Check

_STEPS, _EPOCHS = (0, 8, 98, 998, 10**6), (0, 1, 10, 100, 1000)
_MOST, _MOST_NUMBERS = 10**9, 8
_DECADES, _RANGE = 6, 12
"""Gradients are from 1e-6 to 1e6 where nothing else is drawn; numbers of an edit beyond 1e12 are left out."""

_BESIDE = (0.999, 1.0, 1.001)
_UPDATES = 2
"""So many updates from every point, as the second meets the state that the first one left."""


@dataclass(frozen=True)
class RarePoint:
    """Where updates are tried: after so many steps, in an epoch, from parameters along gradients."""

    steps: int
    epoch: int
    theta: Array
    gradients: tuple[Array, ...]


def rare_update_checks(trial: Trial, numbers: Iterable[float]) -> Iterator[Check]:
    """One row for the update of an edited module; `numbers` are those that stand in its edits."""
    if trial.trains:
        what = "updates at rare steps, epochs, gradients and parameters against the optimiser's equations"
        yield measured("rare updates", what, UPDATE, lambda: _at_rare_points(trial, list(numbers)))


def _at_rare_points(trial: Trial, numbers: list[float]) -> Measure:
    moderate = sorted(n for n in numbers if n == 0 or 10.0**-_RANGE <= abs(n) <= 10.0**_RANGE)
    return worst([_updates(trial, point) for point in _points(trial, moderate[:_MOST_NUMBERS])])


def _points(trial: Trial, numbers: Sequence[float]) -> Iterator[RarePoint]:
    """Every step and epoch of interest once, the other one drawn; parameters and gradients anew for each."""
    rng = np.random.default_rng((trial.seed, 11))
    size = trial.twin.vector(trial.points[0].sample.parameters).size
    whole = [int(n) for n in numbers if 0 < n <= _MOST and n == int(n)]
    steps = [*_STEPS, *(n - before for n in whole for before in (2, 1) if n >= before)]
    epochs = [*_EPOCHS, *(n + beside for n in whole for beside in (-1, 0, 1))]
    times = [(n, int(rng.choice(epochs))) for n in steps] + [(int(rng.choice(steps)), n) for n in epochs]
    for n, epoch in dict.fromkeys(times):
        theta = _drawn(rng, numbers, np.ones(size))
        scales = 10.0 ** rng.uniform(-_DECADES, _DECADES, (_UPDATES, size))
        yield RarePoint(n, epoch, theta, tuple(_drawn(rng, numbers, scale) for scale in scales))


def _drawn(rng: np.random.Generator, numbers: Sequence[float], scale: Array) -> Array:
    """Random numbers of these scales; some exactly 0, some plus or minus a given number or beside it."""
    beside = [sign * n * factor for n in numbers for factor in _BESIDE for sign in (1, -1)]
    is_rare = rng.random(scale.size) < (0.5 if beside else 0.1)
    return np.where(is_rare, rng.choice([0.0, *beside], scale.size), rng.normal(size=scale.size) * scale)


def _updates(trial: Trial, point: RarePoint) -> Measure:
    arithmetic = vector_arithmetic(point.theta.size)
    params = trial.twin.params(point.theta.copy())
    state = trial.twin.call("init_state", params)
    counter = getattr(state, "step", None)
    steps = point.steps if isinstance(counter, np.ndarray) and counter.ndim == 1 else 0
    if steps and counter is not None:
        counter[0] = steps
    progress = replace(start(trial.model, point.theta, arithmetic, trial.twin.shapes), steps=steps)
    got, expected = [vector_of(params)], [point.theta]
    for gradient in point.gradients:
        trial.twin.call("update", params, trial.twin.params(gradient.copy()), state, epoch=point.epoch)
        progress = step(trial.model, progress, gradient, point.epoch, arithmetic)
        got.append(vector_of(params))
        expected.append(np.asarray(progress.theta, dtype=np.float64))
    if not np.isfinite(expected).all():
        return 0.0, ""  # the equations have no value there
    error, n = max(moved(got, expected, 2.0**-52))
    name, when = trial.model.optimizer.name, f"step {steps + n} in epoch {point.epoch}"
    return error, f"{when} differs from the equations of {name} by {error:.2g} of the change"
