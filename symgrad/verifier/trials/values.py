"""Checks of what the module computes forward, of its number types, and of its parameters' container."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from symgrad.spec.reads import draws
from symgrad.verifier.interpretation.arithmetic import choose
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.interpretation.philox_numbers import Key
from symgrad.verifier.sampling.spec_fans import scale_of
from symgrad.verifier.trials.subject import Subject
from symgrad.verifier.trials.trial import (
    Measure,
    Trial,
    TrialPoint,
    batch_size,
    excused,
    measured,
    shapes_of,
    worst,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from symgrad.verifier.gradients.reference import ValuesAndSlopes
    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.interpretation.interpreter import Evaluation
    from symgrad.verifier.report import Check

EXACT = 1e-10
_FAR_ON = Key(2**40 + 5, 3)
_FAR, _FINITE = 1000.0, 1e200
_FAR_OUT = f"with parameters {_FAR:g} times as large, and the spec's is"


def value_checks(trial: Trial) -> Iterator[Check]:
    """Forward, prediction and loss against the interpreter; parameters' container and first values."""
    yield container_check("parameters", trial, trial.twin)
    yield measured("forward", "outputs against the spec", EXACT, lambda: _tensors(trial, "forward"))
    yield measured("predict", "predictions against the spec", EXACT, lambda: _tensors(trial, "predict"))
    if trial.model.loss is not None:
        yield measured("loss", "loss against the spec", EXACT, lambda: _loss(trial))
    if trial.model.parameters:
        what = "outputs, prediction and loss are finite where the spec's are, with parameters far out"
        yield measured("far out", what, 0.0, lambda: _far(trial))


def container_check(name: str, trial: Trial, subject: Subject) -> Check:
    """The row of this name for the container of a module's parameters, and what it is filled with."""
    return measured(name, "flatten, unflatten, init_params", 0.0, lambda: _container(trial, subject))


def _container(trial: Trial, subject: Subject) -> Measure:
    vector = subject.vector(trial.points[0].sample.parameters)
    again = subject.call("flatten", subject.params(vector.copy())) if vector.size else vector
    if not np.array_equal(np.asarray(again), vector):
        return 1.0, "flatten does not undo unflatten"
    params = subject.call("init_params")
    for name, values in subject.blocks(params, "init_params").items():
        if not np.isfinite(values).all():
            return 1.0, f"init_params: {name} is not finite"
    wrong = _wrong_constants(trial, subject.blocks(params, "init_params"))
    if wrong:
        return 1.0, f"init_params: {wrong} has not its constant value"
    return 0.0, ""


def _wrong_constants(trial: Trial, blocks: dict[str, Array]) -> str:
    constants = (decl for decl in trial.model.parameters if decl.init.distribution == "constant")
    for decl in constants:
        block = blocks[decl.name]
        constant = scale_of(trial.model, decl, block.shape)
        if constant is not None and not np.allclose(block, constant, rtol=1e-6, atol=0):
            return decl.name
    return ""


def _tensors(trial: Trial, function: str) -> Measure:
    errors = []
    for point in trial.points:
        is_forward = function == "forward"
        expected = point.exact.outputs if is_forward else point.exact.prediction
        got = trial.twin.tensors(function, point.sample, shapes_of(expected))
        for n, (g, e) in enumerate(zip(got, expected, strict=True)):
            error = excused(g, e, EXACT, partial(_moved, point, is_forward, n))
            errors.append((error, point.name))
    error, where = worst(errors)
    return error, f"{function} differs from the spec's value by {error:.2g} of the largest entry {where}"


def _far(trial: Trial) -> Measure:
    """With parameters a thousand times as large, classes are certain, which is no reason for NaN or infinity.

    A module need not hold what is not finite in exact numbers, nor what follows from tensors that are not; an
    infinity that is there with ordinary parameters, as of a mask, is meant.
    """
    twin, here, ordinary = trial.twin, trial.points[0].sample, trial.points[0].exact
    for factor in (_FAR, -_FAR):
        sample = replace(here, parameters={name: factor * p for name, p in here.parameters.items()})
        exact = interpret(trial.model, sample.arrays, choose(ordinary.work))
        if not all(_is_held(a, ordinary.tensors[name]) for name, a in exact.tensors.items()):
            continue
        for function, values in (("forward", exact.outputs), ("predict", exact.prediction)):
            if _are_finite(values) and not _are_finite(twin.tensors(function, sample, shapes_of(values))):
                return math.inf, f"{function} is not finite {_FAR_OUT}"
        if (
            exact.loss is not None
            and _are_finite([evaluated(exact)])
            and not math.isfinite(twin.loss(sample))
        ):
            return math.inf, f"the loss is not finite {_FAR_OUT}"
    return 0.0, ""


def _is_held(far: Array, here: Array) -> bool:
    with np.errstate(all="ignore"):
        meant = ~np.isfinite(np.asarray(here, np.float64))
        return bool(np.all(meant | (np.abs(np.asarray(far, np.float64)) < _FINITE)))


def _are_finite(arrays: Iterable[Array]) -> bool:
    with np.errstate(all="ignore"):
        return all(bool(np.all(np.abs(np.asarray(a, np.float64)) < _FINITE)) for a in arrays)


def _moved(point: TrialPoint, is_forward: bool, number: int) -> Array:
    """How far rounding may move an output, or a part of the prediction."""
    moved = point.reference.double
    return (moved.outputs if is_forward else moved.prediction)[number]


def _loss(trial: Trial) -> Measure:
    errors = []
    for point in trial.points:
        slack, size = EXACT * 1e-4 * trial.floor(point), batch_size(trial.model, point.sample)
        true, got = evaluated(point.exact), trial.twin.loss(point.sample)
        message = f"loss is {got:.10g}, the spec's is {float(true):.10g} {point.name}"
        error = excused(np.asarray(got), true, EXACT, partial(_moved_evaluation, point), slack)
        errors.append((error, message + _batch_hint(got, float(true), size)))
        if trial.trains:
            true = np.asarray(point.exact.loss, dtype=np.float64)
            vector = trial.twin.vector(point.sample.parameters)
            also, _ = trial.twin.loss_and_grad(vector, point.sample.data)
            message = f"loss_and_grad's loss is {also:.10g}, the spec's is {float(true):.10g} {point.name}"
            errors.append(
                (excused(np.asarray(also), true, EXACT, partial(_moved_loss, point), slack), message)
            )
    if trial.trains and draws(trial.model):
        errors.append(_drawn_loss(trial, trial.points[0]))
    return worst(errors)


def _drawn_loss(trial: Trial, point: TrialPoint) -> Measure:
    """The loss of a step far on, by a seed of more than 32 bits."""
    arithmetic = choose(point.exact.work)
    found = interpret(trial.model, point.sample.arrays, arithmetic, key=_FAR_ON).loss
    true, vector = np.asarray(found, dtype=np.float64), trial.twin.vector(point.sample.parameters)
    got, _ = trial.twin.loss_and_grad(vector, point.sample.data, _FAR_ON)
    slack = EXACT * 1e-4 * trial.floor(point)
    error = excused(np.asarray(got), true, EXACT, partial(_moved_loss, point), slack)
    return error, f"by seed {_FAR_ON.seed} and step {_FAR_ON.step} the loss is {got:.10g}, not {true:.10g}"


def evaluated(values: Evaluation | ValuesAndSlopes) -> Array:
    """What `loss` gives, that of inference where there are two."""
    loss = values.loss if values.evaluation is None else values.evaluation
    return np.asarray(loss, dtype=np.float64)


def _moved_evaluation(point: TrialPoint) -> Array:
    return evaluated(point.reference.double)


def _moved_loss(point: TrialPoint) -> Array:
    return np.asarray(point.reference.double.loss)


def _batch_hint(got: float, true: float, size: int) -> str:
    if size > 1 and np.isclose(got, true * size, rtol=1e-6):
        return f" (a factor 1/{size}, the batch size, is missing?)"
    return ""
