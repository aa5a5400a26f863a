"""Checks of whole epochs: batches of rows in an order, and the learning rate over time."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.spec.language.syntax import Name
from symgrad.spec.language.trees import names_in
from symgrad.verifier.interpretation.optimizer_meaning import gradient_point, start, step
from symgrad.verifier.sampling.samples import Sample, draw
from symgrad.verifier.steps.state_checks import advanced
from symgrad.verifier.trials.subject import number
from symgrad.verifier.trials.trial import (
    Measure,
    Trial,
    measured,
    moved_off,
    settled,
    strayed,
    vector_arithmetic,
    vector_of,
    worst,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.report import Check

SAME = 1e-9
_ROWS, _BATCH, _EPOCH = 8, 3, 2


def epoch_checks(trial: Trial) -> Iterator[Check]:
    """train_epoch, and the schedule where there is one, for a model with an axis of rows."""
    epoch = "train_epoch is train_step on each batch, the short last one too"
    yield measured("train_epoch", epoch, SAME, lambda: _train_epoch(trial))
    if not isinstance(trial.model.schedule, Name):
        rate = "learning rate of early and late epochs against the schedule"
        yield measured("schedule", rate, SAME, lambda: _schedule(trial))


def _rows(trial: Trial, sample: Sample, rows: Array) -> list[Array]:
    """The inputs and targets of some samples; what has no batch axis goes to every batch whole."""
    axis = trial.model.batch_axis
    tensors = (*trial.model.spec.inputs, *trial.model.spec.targets)
    pairs = zip(tensors, sample.data, strict=True)
    return trial.twin.cast([a[rows] if t.axes[:1] == (axis,) else a for t, a in pairs])


@lru_cache(maxsize=1)
def _batches(trial: Trial) -> tuple[Sample, Array, list[Array]]:
    """Data for an epoch, an order of its rows, and the rows of each batch, the last one short.

    Many epochs are tried with them, and to settle them takes steps of the module.
    """
    sample = draw(trial.model, "", trial.seed + 50, batch=_ROWS)
    order = np.random.default_rng(trial.seed).permutation(_ROWS)
    size = _batch_size(trial)
    batches = [order[n : n + size] for n in range(0, _ROWS, size)]
    return settled(trial.twin, sample, (_rows(trial, sample, rows) for rows in batches)), order, batches


def _batch_size(trial: Trial) -> int:
    return _ROWS if trial.model.optimizer.full_batch else _BATCH


def _epoch(
    trial: Trial, sample: Sample, order: Array, epoch: int, steps: int = 0, **options: Any
) -> tuple[Array, float]:
    """The parameters after an epoch that begins at the sample's, after so many steps, and its loss."""
    twin = trial.twin
    params = twin.params(twin.vector(sample.parameters))
    state = twin.call("init_state", params, **{n: v for n, v in options.items() if n == "hyper"})
    if steps:
        state.step[0] = steps
    batches = {"batch_size": _batch_size(trial), "order": order.astype(np.int64)}
    answer = twin.call("train_epoch", params, state, *twin.data(sample), **batches, epoch=epoch, **options)
    return vector_of(params), number(answer, "train_epoch")


def _counts_steps(trial: Trial) -> bool:
    """Whether the module's state says where its step counter is, so that it can be set."""
    params = trial.twin.params(trial.twin.vector(trial.points[0].sample.parameters))
    counter = getattr(trial.twin.call("init_state", params), "step", None)
    return isinstance(counter, np.ndarray) and counter.ndim == 1 and counter.flags.writeable


def _train_epoch(trial: Trial) -> Measure:
    twin = trial.twin
    sample, order, batches = _batches(trial)
    before = twin.vector(sample.parameters)
    params = twin.params(before.copy())
    state = twin.call("init_state", params)
    losses = [
        number(twin.call("train_step", params, state, *_rows(trial, sample, rows)), "train_step")
        for rows in batches
    ]
    after, loss = _epoch(trial, sample, order, epoch=0)
    error = moved_off(after, vector_of(params), before)
    message = (
        f"after {len(batches)} batches the parameters are {error:.2g} of the change away from train_step's"
    )
    mean = float(np.average(losses, weights=[len(rows) for rows in batches]))
    if error <= SAME and not abs(loss - mean) <= 1e-9 * max(abs(x) for x in losses):
        error, message = math.inf, f"the epoch's loss is {loss:.6g}, the mean over its rows is {mean:.6g}"
    return error, message


def _schedule(trial: Trial) -> Measure:
    """Where the spec plans so many epochs, and where a caller plans others."""
    epochs = trial.model.spec.train.epochs
    early, late = min(_EPOCH, epochs - 1), epochs - 1
    times = sorted({early, late, epochs, epochs + _EPOCH})  # training may go on after what was planned
    errors = [scheduled(trial, trial.model, epoch) for epoch in times]
    if "epochs" in names_in(trial.model.schedule):
        train = replace(trial.model.spec.train, epochs=epochs + _EPOCH)
        longer = replace(trial.model, spec=replace(trial.model.spec, train=train))
        errors.append(scheduled(trial, longer, early, epochs=epochs + _EPOCH))
    return worst(errors)


def scheduled(trial: Trial, model: Model, epoch: int, **options: Any) -> Measure:
    """One epoch, as if those before it had been trained, against the equations of the model."""
    sample, order, batches = _batches(trial)
    before = trial.twin.vector(sample.parameters)
    steps = epoch * len(batches) if _counts_steps(trial) else 0

    def ends(vector: Array) -> Array:
        return _by_formula(
            trial, model, vector, [_rows(trial, sample, rows) for rows in batches], epoch, steps
        )

    theta = ends(before)
    if not np.isfinite(theta).all():
        return 0.0, ""  # the formula has no value there
    after, _ = _epoch(trial, sample, order, epoch, steps, **options)
    error = moved_off(after, theta, before)
    if error > SAME:
        error = moved_off(after, theta, before, strayed(ends, theta, before))
    return error, f"epoch {epoch} ends {error:.2g} of the change away from the schedule's formula"


def _by_formula(
    trial: Trial, model: Model, vector: Array, batches: list[list[Array]], epoch: int, steps: int
) -> Array:
    """Where the model's equations lead from these parameters, by the module's gradients of each batch."""
    twin, arithmetic = trial.twin, vector_arithmetic(vector.size)
    progress = replace(start(model, vector, arithmetic, twin.shapes), steps=steps)
    for data in batches:
        point = np.asarray(gradient_point(model, progress, epoch, arithmetic), dtype=np.float64)
        key = twin.key(int(progress.steps))
        _, grads = twin.loss_and_grad(point, data, key)
        progress = step(model, progress, twin.vector(grads), epoch, arithmetic)
        theta = np.asarray(progress.theta, dtype=np.float64)
        if model.states:
            progress = replace(progress, theta=arithmetic.array(advanced(trial, theta, point, data, key)))
    return np.asarray(progress.theta, dtype=np.float64)
