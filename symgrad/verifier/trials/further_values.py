"""Checks of what a module answers for derivatives beyond the gradient and networks by themselves, as it is
compiled.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from symgrad.spec.model import DrawnPrediction, NetworkFunction
from symgrad.verifier.identity.further_meaning import (
    direction,
    drawn_by,
    expected_further,
    found_by,
    points_of,
)
from symgrad.verifier.identity.points import ExactPoint
from symgrad.verifier.interpretation.arithmetic import DOUBLE, NATIVE
from symgrad.verifier.trials.subject import FaultError
from symgrad.verifier.trials.trial import measured, worst

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from symgrad.spec.model import BesideFunction
    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.report import Check
    from symgrad.verifier.trials.trial import Measure, Trial, TrialPoint

CLOSE = 1e-8
_POINTS = 2


def further_checks(trial: Trial) -> Iterator[Check]:
    """A row for each of them: the answers of the compiled module beside those of dual numbers."""
    for asked in trial.model.beside:
        by = (
            "the spec"
            if isinstance(asked, NetworkFunction | DrawnPrediction)
            else "dual numbers through the spec"
        )
        what = f"answers against {by}"
        yield measured(asked.function, what, CLOSE, partial(_error, trial, asked))


def _error(trial: Trial, asked: BesideFunction) -> Measure:
    """How far any entry is from the spec's, relative to the largest one of all parameters."""
    errors = []
    for point in trial.points[:_POINTS]:
        there = _as_exact(point)
        found = _found(trial, asked, point, there)
        for arithmetic in (DOUBLE, NATIVE):
            expected = dict(expected_further(trial.model, there, arithmetic, (asked,)))
            error, name = _distance(found, {n: np.asarray(a, np.float64) for n, a in expected.items()})
            if error <= CLOSE:
                break
        errors.append((error, f"{name} differs by {error:.2g} of the largest entry {point.name}"))
    return worst(errors)


def _distance(found: dict[str, Array], expected: dict[str, Array]) -> tuple[float, str]:
    scale = max((float(np.max(np.abs(a), initial=0.0)) for a in expected.values()), default=0.0)
    errors = []
    for name, due in expected.items():
        got = found[name]
        if got.shape != due.shape:
            raise FaultError(f"{name} has shape {got.shape}, expected {due.shape}")
        errors.append((float(np.max(np.abs(got - due), initial=0.0)) / (scale or 1.0), name))
    return worst(errors)


def _as_exact(point: TrialPoint) -> ExactPoint:
    """The point with a direction."""
    arrays = point.sample.arrays
    numbers = {n: np.asarray(a, np.float64) for n, a in arrays.items() if a.dtype.kind == "f"}
    noise = np.random.default_rng(len(point.name)).normal(size=997)
    return ExactPoint(point.name, numbers, {n: a for n, a in arrays.items() if n not in numbers}, noise)


def _found(trial: Trial, asked: BesideFunction, point: TrialPoint, there: ExactPoint) -> dict[str, Array]:
    subject, sample = trial.twin, point.sample
    shapes = {name: subject.shapes[name] for name in subject.fields()}
    along = direction(there, shapes)

    def answer(*others: Any) -> Any:
        params = subject.params(subject.vector(sample.parameters))
        return subject.call(asked.function, params, *others)

    if isinstance(asked, NetworkFunction):
        found = answer(*subject.cast(points_of(trial.model, asked, there, DOUBLE)))
        return {str(asked): np.asarray(found, np.float64)}
    if isinstance(asked, DrawnPrediction):
        answers = drawn_by(asked, answer, subject.inputs(sample))
        return {name: np.asarray(array, np.float64) for name, array in answers}
    vector = np.concatenate([part.reshape(-1) for part in along.values()])
    answers = found_by(asked, answer, vector, shapes, (subject.inputs(sample), subject.data(sample)))
    return {name: np.asarray(array, np.float64) for name, array in answers}
