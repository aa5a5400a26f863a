"""Checks of a float32 module, as it is compiled, against its float64 twin, which the spec is held against."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from symgrad.verifier.gradients.reference import SpecReference, slopes_of
from symgrad.verifier.interpretation.arithmetic import SINGLE
from symgrad.verifier.interpretation.interpreter import parameter_shapes
from symgrad.verifier.interpretation.philox_numbers import INFERENCE
from symgrad.verifier.report import Check
from symgrad.verifier.sampling.samples import Sample, asked_for, draw
from symgrad.verifier.trials.subject import Door, Subject, number
from symgrad.verifier.trials.trial import (
    LARGE,
    TRAINED,
    Measure,
    Trial,
    TrialPoint,
    batch_size,
    excused,
    measured,
    shapes_of,
    vector_of,
    worst,
)
from symgrad.verifier.trials.values import evaluated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.array_library import Array

CLOSE, STEP = 1e-4, 1e-3


def first_calls(
    model: Model, door: Door, seed: int
) -> tuple[list[Callable[[], object]], list[Callable[[], object]]]:
    """Calls of all that is compiled: those that answer, and those that train.

    Raises:
        SymgradError: no usable point exists.
    """
    sample = draw(model, "", seed)
    module = Subject(model, door, parameter_shapes(model, {**sample.inputs, **sample.targets}))
    inputs, data = module.inputs(sample), module.data(sample)

    def called(function: str, given: list[Array]) -> Callable[[], object]:
        return lambda: module.call(function, module.params(module.vector(sample.parameters)), *given)

    names = ("loss_and_grad", "loss") if model.loss is not None else ()
    answers = [called(name, data) for name in names]
    answers += [called(name, inputs) for name in ("forward", "predict")]
    trains = model.loss is not None and model.parameters
    return answers, [partial(training, module, sample) for training in (_epoch, _step) if trains]


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
        name, what = "float32 gradients", "float32 gradients against float64, beyond rounding"
        yield measured(name, what, CLOSE, lambda: _gradients(trial, points))
        if points[0] is trial.points[0]:
            yield measured(
                "float32 step",
                "a step in float32 and in float64, beyond rounding",
                STEP,
                lambda: _trained(trial, _step, _step_reference(trial)),
            )
            what = "an epoch of one batch in float32 and in float64, beyond rounding"
            yield measured(
                "float32 epoch", what, STEP, lambda: _trained(trial, _epoch, _epoch_reference(trial))
            )


def _holds(trial: Trial, point: TrialPoint) -> bool:
    """Whether plain single precision gives finite numbers."""
    names = asked_for(trial.model) if trial.trains else ()
    return slopes_of(trial.model, point.sample.arrays, names, SINGLE).are_finite


def _forward(trial: Trial, points: list[TrialPoint]) -> Measure:
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


def _moved(point: TrialPoint, output: int) -> Array:
    return point.reference.single.outputs[output]


def _off_loss(trial: Trial, point: TrialPoint) -> float:
    got, expected = (np.asarray(s.loss(point.sample)) for s in (trial.module, trial.twin))
    floor = 1e-6 * trial.floor(point)
    return excused(got, expected, CLOSE, lambda: evaluated(point.reference.single), floor)


def _gradients(trial: Trial, points: list[TrialPoint]) -> Measure:
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


def _off_gradient(trial: Trial, point: TrialPoint, name: str, got: Array, true: Array) -> float:
    floor = 1e-6 * trial.floor(point)
    return excused(got, true, CLOSE, lambda: point.reference.single.gradients[name], floor)


Training: TypeAlias = "Callable[[Subject, Sample], tuple[Array, float]]"
"""What a subject's parameters are after some training that begins at a sample's, and the loss."""


def _step(subject: Subject, sample: Sample) -> tuple[Array, float]:
    params = subject.params(subject.vector(sample.parameters))
    state = subject.call("init_state", params)
    loss = subject.call("train_step", params, state, *subject.data(sample))
    return vector_of(params), number(loss, "train_step")


def _step_reference(trial: Trial) -> SpecReference:
    """What the spec says of the step: at the point, but by the numbers that training draws."""
    point, key = trial.points[0], trial.module.key(0)
    return point.reference if key == INFERENCE else replace(point.reference, key=key)


def _epoch_reference(trial: Trial) -> SpecReference:
    """What the spec says of the epoch: a row draws by its place, and rows stand in the opposite order."""
    step, spec, axis = _step_reference(trial), trial.model.spec, trial.model.batch_axis
    by_rows = [t.name for t in (*spec.inputs, *spec.targets) if t.axes[:1] == (axis,)]
    return replace(step, arrays={**step.arrays, **{name: step.arrays[name][::-1] for name in by_rows}})


def _epoch(subject: Subject, sample: Sample) -> tuple[Array, float]:
    """All rows in one batch, in the opposite order, where there are rows."""
    rows = batch_size(subject.model, sample)
    params = subject.params(subject.vector(sample.parameters))
    state = subject.call("init_state", params)
    options: dict[str, Any] = {"batch_size": "full"}
    if subject.model.batch_axis:
        options = {"batch_size": rows, "order": np.arange(rows)[::-1].copy()}
    loss = subject.call("train_epoch", params, state, *subject.data(sample), **options)
    return vector_of(params), number(loss, "train_epoch")


def _trained(trial: Trial, training: Training, reference: SpecReference) -> Measure:
    """The change of the parameters, less what rounding of the gradient may do to it through the update."""
    point = trial.points[0]
    (got, loss), (true, true_loss) = (training(s, point.sample) for s in (trial.module, trial.twin))
    before = vector_of(trial.module.params(trial.module.vector(point.sample.parameters)))
    rounding = 2.0**-21 * float(np.max(np.abs(true), initial=0.0))
    error = excused(got - before, true - before, STEP, lambda: _moved_step(trial, reference), rounding)
    off = excused(
        np.asarray(loss),
        np.asarray(true_loss),
        STEP,
        lambda: np.asarray(reference.single.loss),
        1e-6 * trial.floor(point),
    )
    message = f"the parameters end {error:.2g} of the change away, the loss is off by {off:.2g}"
    return max(error, off), message


def _moved_step(trial: Trial, reference: SpecReference) -> Array:
    """How far the rounding of a gradient may move the parameters in one update."""
    twin, names = trial.twin, trial.twin.fields()
    exact = reference.slopes.gradients
    moved = reference.single.gradients
    start = twin.vector(trial.points[0].sample.parameters)

    def updated(sign: float) -> Array:
        params = twin.params(start.copy())
        gradient = {name: np.asarray(exact[name] + sign * moved[name], np.float64) for name in names}
        state = twin.call("init_state", params)
        twin.call("update", params, twin.params(twin.vector(gradient)), state)
        return vector_of(params)

    here = updated(0.0)
    return np.asarray(np.maximum(np.abs(updated(1.0) - here), np.abs(updated(-1.0) - here)))
