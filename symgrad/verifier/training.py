"""Checks of the update, the step and the epoch against the optimiser's own equations."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.spec.calls import names_in
from symgrad.spec.syntax import Name
from symgrad.verifier.optimizer import gradient_point, start, step
from symgrad.verifier.samples import batch_axis, draw
from symgrad.verifier.subject import number
from symgrad.verifier.trial import measured, mismatch, vector_arithmetic, worst

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.spec.model import Model
    from symgrad.verifier.arithmetic import Array
    from symgrad.verifier.report import Check
    from symgrad.verifier.samples import Sample
    from symgrad.verifier.subject import Subject
    from symgrad.verifier.trial import Measure, Trial

UPDATE, SAME, SINGLE = 1e-9, 1e-9, 1e-3
STEPS = 3
_ROWS, _BATCH, _EPOCH = 8, 3, 2
_LARGEST_PIECE = 1000


def training_checks(trial: Trial) -> Iterator[Check]:
    """Update, train_step and train_epoch; the schedule where there is one."""
    what = f"{STEPS} updates against the optimizer's equations"
    yield measured("update", what, UPDATE, lambda: _update(trial))
    if not trial.is_double:
        single = f"{STEPS} updates, float32 against float64"
        yield measured("float32 update", single, SINGLE, lambda: _single_update(trial))
    same = "train_step is loss_and_grad, then update"
    yield measured("train_step", same, SAME, lambda: _train_step(trial))
    if batch_axis(trial.model) is None:
        return
    epoch = "train_epoch is train_step on each batch, the short last one too"
    yield measured("train_epoch", epoch, SAME, lambda: _train_epoch(trial))
    if not isinstance(trial.model.schedule, Name):
        rate = "learning rate of early and late epochs against the schedule"
        yield measured("schedule", rate, UPDATE, lambda: _schedule(trial))


def _read(params: Any) -> Array:
    """All parameters of a Params, in double precision."""
    return np.concatenate([np.ravel(np.asarray(p, dtype=np.float64)) for p in params])


def _gradients(trial: Trial) -> list[Array]:
    """Gradients of many magnitudes; where they are clipped, some to be clipped and others not."""
    rng = np.random.default_rng((trial.seed, 7))
    size = sum(math.prod(shape) for shape in trial.twin.shapes.values())
    clip, largest = trial.model.spec.train.clip_norm, trial.model.spec.train.clip_value
    found = []
    for n in range(STEPS):
        g = rng.normal(size=size) * 10.0 ** rng.uniform(-6, 0, size=size)
        if clip is not None:
            g *= (3.0 if n == 0 else 0.5) * clip / np.linalg.norm(g)
        if largest is not None and n == 1:
            g *= 3.0 * largest / np.max(np.abs(g))
        found.append(g.astype(np.float32).astype(np.float64))
    return found


def _trajectory(subject: Subject, vector: Array, gradients: list[Array]) -> list[Array]:
    """The parameters before the first update and after each."""
    own = vector.astype(subject.dtype)
    params = subject.params(own)
    state = subject.call("init_state", params)
    path = [_read(params)]
    for gradient in gradients:
        subject.call("update", params, subject.params(gradient.astype(subject.dtype)), state)
        path.append(_read(params))
    return path


def _moved(got: list[Array], expected: list[Array], epsilon: float) -> list[tuple[float, int]]:
    """The worst relative error of any entry's change, for each step."""
    errors = []
    for n in range(1, len(expected)):
        delta, true = got[n] - got[n - 1], expected[n] - expected[n - 1]
        slack = 4 * epsilon * (np.abs(expected[n]) + np.abs(expected[n - 1]))
        excess = np.maximum(np.abs(delta - true) - slack, 0.0)
        error = excess / np.maximum(np.abs(true), 1e-300)
        finite = bool(np.isfinite(got[n]).all())
        errors.append((float(np.max(np.where(excess > 0, error, 0.0))) if finite else math.inf, n))
    return errors


def _update(trial: Trial) -> Measure:
    vector = trial.twin.vector(trial.points[0].sample.parameters)
    gradients = _gradients(trial)
    arithmetic = vector_arithmetic(vector.size)
    progress = start(trial.model, vector, arithmetic)
    expected = [np.asarray(progress.theta)]
    for gradient in gradients:
        progress = step(trial.model, progress, gradient, arithmetic=arithmetic)
        expected.append(np.asarray(progress.theta))
    path = [np.asarray(theta, dtype=np.float64) for theta in expected]
    error, n = max(_moved(_trajectory(trial.twin, vector, gradients), path, 2.0**-52))
    name = trial.model.optimizer.name
    return error, f"step {n} differs from the equations of {name} by {error:.2g} of the change"


def _single_update(trial: Trial) -> Measure:
    vector = trial.twin.vector(trial.points[0].sample.parameters)
    gradients = _gradients(trial)
    paths = [_trajectory(subject, vector, gradients) for subject in (trial.module, trial.twin)]
    errors = [
        (mismatch(a[n] - a[n - 1], b[n] - b[n - 1], 2.0**-21 * float(np.max(np.abs(b[n])))), str(n))
        for a, b in [paths]
        for n in range(1, STEPS + 1)
    ]
    error, n = worst(errors)
    return error, f"step {n} differs by {error:.2g} of the change"


def _change(got: Array, expected: Array, before: Array) -> float:
    """The error of a change of parameters, less what rounding of the parameters themselves explains."""
    slack = 2.0**-48 * float(np.max(np.abs(before), initial=0.0))
    return mismatch(got - before, expected - before, slack)


class _LookAhead:
    """The states a look-ahead needs, by the optimizer's equations."""

    def __init__(self, trial: Trial, theta: Array) -> None:
        self.model, self.arithmetic = trial.model, vector_arithmetic(theta.size)
        self.progress = start(trial.model, theta, self.arithmetic)

    def point(self, theta: Array) -> Array:
        """Where the next gradient is taken, the parameters being theta."""
        if self.model.optimizer.look_ahead is None:
            return theta
        here = replace(self.progress, theta=self.arithmetic.array(theta))
        return np.asarray(gradient_point(self.model, here, arithmetic=self.arithmetic), dtype=np.float64)

    def follow(self, gradient: Array) -> None:
        """Note a step made with this gradient."""
        if self.model.optimizer.look_ahead is not None:
            self.progress = step(self.model, self.progress, gradient, arithmetic=self.arithmetic)


def _step_sample(trial: Trial) -> Sample:
    """A batch for a step, of more than two micro-batches where it is computed from such."""
    pieces = trial.model.spec.train.micro_batches
    if pieces is None or pieces.rows > _LARGEST_PIECE:
        return trial.points[0].sample
    return draw(trial.model, "", trial.seed + 60, batch=2 * pieces.rows + 1)


def _train_step(trial: Trial) -> Measure:
    twin, sample = trial.twin, _step_sample(trial)
    before = twin.vector(sample.parameters)
    together, apart = twin.params(before.copy()), twin.params(before.copy())
    states = twin.call("init_state", together), twin.call("init_state", apart)
    ahead = _LookAhead(trial, before)
    errors = []
    for n in range(2):
        loss = number(twin.call("train_step", together, states[0], *twin.data(sample)), "train_step")
        here = twin.vector(twin.blocks(apart, "update"))
        point = ahead.point(here)
        if trial.model.optimizer.look_ahead is not None:
            off = _change(_read(twin.call("gradient_point", apart, states[1])), point, here)
            errors.append((off, f"gradient_point is {off:.2g} of the way off before step {n + 1}"))
        true, grads = twin.loss_and_grad(point, sample.data)
        twin.call("update", apart, twin.params(twin.vector(grads)), states[1])
        ahead.follow(twin.vector(grads))
        moved = _change(_read(together), _read(apart), before)
        errors.append((moved, f"step {n + 1} ends {moved:.2g} of the change away from loss_and_grad, update"))
        off = mismatch(np.asarray(loss), np.asarray(true))
        errors.append((off, f"train_step gives the loss {loss:.10g}, loss_and_grad {true:.10g}"))
    return worst(errors)


def _rows(trial: Trial, sample: Sample, rows: Array) -> list[Array]:
    """The inputs and targets of some samples; what has no batch axis goes to every batch whole."""
    axis = batch_axis(trial.model)
    tensors = (*trial.model.spec.inputs, *trial.model.spec.targets)
    pairs = zip(tensors, sample.data, strict=True)
    return trial.twin.cast([a[rows] if t.axes[:1] == (axis,) else a for t, a in pairs])


def _batches(trial: Trial) -> tuple[Sample, Array, list[Array]]:
    """Data for an epoch, an order of its rows, and the rows of each batch, the last one short."""
    sample = draw(trial.model, "", trial.seed + 50, batch=_ROWS)
    order = np.random.default_rng(trial.seed).permutation(_ROWS)
    size = _batch_size(trial)
    return sample, order, [order[n : n + size] for n in range(0, _ROWS, size)]


def _batch_size(trial: Trial) -> int:
    return _ROWS if trial.model.optimizer.full_batch else _BATCH


def _epoch(
    trial: Trial, sample: Sample, order: Array, epoch: int, steps: int = 0, **planned: int
) -> tuple[Array, float]:
    twin = trial.twin
    params = twin.params(twin.vector(sample.parameters))
    state = twin.call("init_state", params)
    if steps:
        state.step[...] = steps
    data = twin.data(sample)
    answer = twin.call(
        *("train_epoch", params, state, *data),
        batch_size=_batch_size(trial),
        order=order.astype(np.int64),
        epoch=epoch,
        **planned,
    )
    return _read(params), number(answer, "train_epoch")


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
    error = _change(after, _read(params), before)
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
    errors = [_scheduled(trial, trial.model, epoch) for epoch in sorted({early, late})]
    if "epochs" in names_in(trial.model.schedule):
        train = replace(trial.model.spec.train, epochs=epochs + _EPOCH)
        longer = replace(trial.model, spec=replace(trial.model.spec, train=train))
        errors.append(_scheduled(trial, longer, early, epochs=epochs + _EPOCH))
    return worst(errors)


def _scheduled(trial: Trial, model: Model, epoch: int, **planned: int) -> Measure:
    """One epoch, as if those before it had been trained, against the equations of the model."""
    twin = trial.twin
    sample, order, batches = _batches(trial)
    before = twin.vector(sample.parameters)
    arithmetic = vector_arithmetic(before.size)
    steps = epoch * len(batches)
    progress = replace(start(model, before, arithmetic), steps=steps)
    for rows in batches:
        point = np.asarray(gradient_point(model, progress, epoch, arithmetic), dtype=np.float64)
        _, grads = twin.loss_and_grad(point, _rows(trial, sample, rows))
        progress = step(model, progress, twin.vector(grads), epoch, arithmetic)
    after, _ = _epoch(trial, sample, order, epoch, steps, **planned)
    error = _change(after, np.asarray(progress.theta, dtype=np.float64), before)
    return error, f"epoch {epoch} ends {error:.2g} of the change away from the schedule's formula"
