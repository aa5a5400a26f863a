"""Checks of what the module computes forward, of its number types, and of its parameters' container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symgrad.verifier.interpreter import scalar_value
from symgrad.verifier.subject import number
from symgrad.verifier.trial import (
    LARGE,
    TRAINED,
    batch_size,
    largest_block,
    measured,
    mismatch,
    shapes_of,
    worst,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.verifier.report import Check
    from symgrad.verifier.trial import Measure, Point, Trial

EXACT, SINGLE = 1e-10, 1e-4


def value_checks(trial: Trial) -> Iterator[Check]:
    """Forward, prediction and loss against the interpreter; parameters' container and first values."""
    yield measured("parameters", "flatten, unflatten, init_params", 0.0, lambda: _container(trial))
    yield measured("forward", "outputs against the spec", EXACT, lambda: _tensors(trial, "forward"))
    yield measured("predict", "predictions against the spec", EXACT, lambda: _tensors(trial, "predict"))
    if trial.model.loss is not None:
        yield measured("loss", "loss against the spec", EXACT, lambda: _loss(trial))
    if not trial.is_double:
        yield measured("float32 forward", "float32 against float64", SINGLE, lambda: _single_forward(trial))
        if trial.trains:
            what = "float32 gradients against float64"
            yield measured("float32 gradients", what, SINGLE, lambda: _single_gradients(trial))


def _container(trial: Trial) -> Measure:
    for subject in {id(s): s for s in (trial.module, trial.twin)}.values():
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


def _wrong_constants(trial: Trial, blocks: dict[str, np.ndarray]) -> str:
    for decl in trial.model.parameters:
        block = blocks[decl.name]
        if decl.init.distribution != "constant":
            continue
        first, last = (block.shape[0], block.shape[-1]) if block.shape else (1, 1)
        fans = {"fan_in": np.asarray(float(first)), "fan_out": np.asarray(float(last))}
        constant = float(scalar_value(decl.init.scale, fans))
        if not np.allclose(block, constant, rtol=1e-6, atol=0):
            return decl.name
    return ""


def _tensors(trial: Trial, function: str) -> Measure:
    errors = []
    for point in trial.points:
        expected = point.exact.outputs if function == "forward" else point.exact.prediction
        got = trial.twin.tensors(function, point.sample, shapes_of(expected))
        errors += [(mismatch(g, e), point.name) for g, e in zip(got, expected, strict=True)]
    error, where = worst(errors)
    return error, f"{function} differs from the spec's value by {error:.2g} of the largest entry {where}"


def _loss(trial: Trial) -> Measure:
    errors = []
    for point in trial.points:
        true = np.asarray(point.exact.loss, dtype=np.float64)
        got = trial.twin.loss(point.sample)
        scale = EXACT * 1e-4 * trial.floor(point)
        message = f"loss is {got:.10g}, the spec's is {float(true):.10g} {point.name}"
        errors.append((mismatch(np.asarray(got), true, scale), message + _batch_hint(got, point, trial)))
        if trial.trains:
            vector = trial.twin.vector(point.sample.parameters)
            also, _ = trial.twin.loss_and_grad(vector, point.sample.data)
            message = f"loss_and_grad's loss is {also:.10g}, the spec's is {float(true):.10g} {point.name}"
            errors.append((mismatch(np.asarray(also), true, scale), message))
    return worst(errors)


def _batch_hint(got: float, point: Point, trial: Trial) -> str:
    size = batch_size(trial.model, point.sample)
    true = number(point.exact.loss, "loss")
    if size > 1 and np.isclose(got, true * size, rtol=1e-6):
        return f" (a factor 1/{size}, the batch size, is missing?)"
    return ""


def _ordinary(trial: Trial) -> list[Point]:
    """Points where float32 need not cancel: at large values it may lose more than is a fault."""
    return [p for p in trial.points if p.name not in (LARGE, TRAINED)]


def _single_forward(trial: Trial) -> Measure:
    errors = []
    for point in _ordinary(trial):
        shapes = shapes_of(point.exact.outputs)
        pairs = zip(
            trial.module.tensors("forward", point.sample, shapes),
            trial.twin.tensors("forward", point.sample, shapes),
            strict=True,
        )
        errors += [(mismatch(g, e), f"forward {point.name}") for g, e in pairs]
        if trial.model.loss is not None:
            pair = (trial.module.loss(point.sample), trial.twin.loss(point.sample))
            slack = 1e-6 * trial.floor(point)
            errors.append((mismatch(np.asarray(pair[0]), np.asarray(pair[1]), slack), f"loss {point.name}"))
    error, where = worst(errors)
    return error, f"{where}: float32 differs from float64 by {error:.2g}"


def _single_gradients(trial: Trial) -> Measure:
    errors = []
    for point in _ordinary(trial):
        blocks = []
        for subject in (trial.module, trial.twin):
            vector = subject.vector(point.sample.parameters)
            blocks.append(subject.loss_and_grad(vector, point.sample.data)[1])
        error, name = largest_block(blocks[0], blocks[1], 1e-6 * trial.floor(point))
        errors.append((error, f"{name}: float32 differs from float64 by {error:.2g} {point.name}"))
    return worst(errors)
