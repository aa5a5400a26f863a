"""Checks of a float32 module against its float64 twin, which the spec itself is held against."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from symgrad.verifier.arithmetic import SINGLE
from symgrad.verifier.reference import slopes_of
from symgrad.verifier.report import Check
from symgrad.verifier.samples import asked_for
from symgrad.verifier.trial import LARGE, TRAINED, excused, measured, shapes_of, worst

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.verifier.arrays import Array
    from symgrad.verifier.trial import Measure, Point, Trial

CLOSE = 1e-4


def single_checks(trial: Trial) -> Iterator[Check]:
    """Forward values and gradients in float32 against those in float64, where float32 holds them.

    Large values are left out: there it may lose more than is a fault.
    """
    points = [p for p in trial.points if p.name not in (LARGE, TRAINED) and _holds(trial, p)]
    name, what = "float32 forward", "float32 against float64"
    if not points:
        yield Check(name, what, 0.0, CLOSE, "no evidence", "single precision overflows at every random point")
        return
    yield measured(name, what, CLOSE, lambda: _forward(trial, points))
    if trial.trains:
        name, what = "float32 gradients", "float32 gradients against float64"
        yield measured(name, what, CLOSE, lambda: _gradients(trial, points))


def _holds(trial: Trial, point: Point) -> bool:
    """Whether plain single precision gives finite numbers."""
    names = asked_for(trial.model) if trial.trains else ()
    return slopes_of(trial.model, point.sample.arrays, names, SINGLE).are_finite


def _forward(trial: Trial, points: list[Point]) -> Measure:
    errors = []
    for point in points:
        shapes = shapes_of(point.exact.outputs)
        got, expected = (s.tensors("forward", point.sample, shapes) for s in (trial.module, trial.twin))
        for n, (g, e) in enumerate(zip(got, expected, strict=True)):
            error = excused(g, e, CLOSE, partial(_moved, point, n))
            errors.append((error, f"forward {point.name}"))
        if trial.model.loss is not None:
            errors.append((_off_loss(trial, point), f"loss {point.name}"))
    error, where = worst(errors)
    return error, f"{where}: float32 differs from float64 by {error:.2g}"


def _moved(point: Point, output: int) -> Array:
    return point.reference.single.outputs[output]


def _off_loss(trial: Trial, point: Point) -> float:
    got, expected = (np.asarray(s.loss(point.sample)) for s in (trial.module, trial.twin))
    floor = 1e-6 * trial.floor(point)
    return excused(got, expected, CLOSE, lambda: np.asarray(point.reference.single.loss), floor)


def _gradients(trial: Trial, points: list[Point]) -> Measure:
    errors = []
    for point in points:
        got, expected = (
            s.loss_and_grad(s.vector(point.sample.parameters), point.sample.data)[1]
            for s in (trial.module, trial.twin)
        )
        for name, true in expected.items():
            error = _off_gradient(trial, point, name, got[name], true)
            message = f"{name}: float32 differs from float64 by {error:.2g} {point.name}"
            errors.append((error, message))
    return worst(errors)


def _off_gradient(trial: Trial, point: Point, name: str, got: Array, true: Array) -> float:
    floor = 1e-6 * trial.floor(point)
    return excused(got, true, CLOSE, lambda: point.reference.single.gradients[name], floor)
