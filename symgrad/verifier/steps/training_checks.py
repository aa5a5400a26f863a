"""Checks of the update and the step against the optimiser's own equations."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from symgrad.spec.expansion.hyper_parameters import with_hyper
from symgrad.verifier.interpretation.optimizer_meaning import averaged, gradient_point, start, step
from symgrad.verifier.sampling.hyper_values import drawn_hyper
from symgrad.verifier.sampling.samples import Sample, draw
from symgrad.verifier.steps.epochs import epoch_checks
from symgrad.verifier.steps.other_hyper import other_hyper_checks
from symgrad.verifier.steps.state_checks import advanced, state_checks
from symgrad.verifier.trials.single import single_checks
from symgrad.verifier.trials.subject import Subject, number
from symgrad.verifier.trials.trial import (
    Measure,
    Trial,
    measured,
    mismatch,
    moved,
    moved_off,
    settled,
    vector_arithmetic,
    vector_of,
    worst,
)
from symgrad.verifier.trials.values import container_check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.report import Check

UPDATE, SAME, SINGLE = 1e-9, 1e-9, 1e-3
STEPS = 3
_LARGEST_PIECE = 1000


def training_checks(trial: Trial) -> Iterator[Check]:
    """Update and train_step; train_epoch and the schedule where there are rows to make batches of."""
    what = f"{STEPS} updates against the optimiser's equations"
    yield measured("update", what, UPDATE, lambda: _update(trial))
    same = "train_step is loss_and_grad, then update"
    yield measured("train_step", same, SAME, lambda: _train_step(trial))
    if trial.model.batch_axis:
        yield from epoch_checks(trial)
    if trial.model.optimizer.average:
        what = "the moving average of the parameters after each update against its definition"
        yield measured("average", what, UPDATE, lambda: _average(trial))
    yield from state_checks(trial)
    if trial.model.frozen:
        frozen = f"{', '.join(trial.model.frozen)} after updates, a step and an epoch, to the last bit"
        if trial.model.states:
            frozen += ", states after updates"
        yield measured("frozen", frozen, 0.0, lambda: _frozen(trial))
    yield from other_hyper_checks(trial, _gradients(trial))


def compiled_checks(trial: Trial) -> Iterator[Check]:
    """A float32 module itself, as it is compiled, beside its twin, which all else is tried on."""
    if trial.is_double:
        return
    yield container_check("float32 parameters", trial, trial.module)
    yield from single_checks(trial)
    if trial.trains:
        what = f"{STEPS} updates, float32 against float64, beyond rounding"
        yield measured("float32 update", what, SINGLE, lambda: _single_update(trial))


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
    path = [vector_of(params)]
    for gradient in gradients:
        subject.call("update", params, subject.params(gradient.astype(subject.dtype)), state)
        path.append(vector_of(params))
    return path


def _average(trial: Trial) -> Measure:
    """With the module's own decay, and with others."""
    twin, theta = trial.twin, trial.twin.vector(trial.points[0].sample.parameters)
    arithmetic, errors = vector_arithmetic(theta.size), []
    for hyper in (None, drawn_hyper(trial.model, np.random.default_rng((trial.seed, 19)))):
        model = trial.model if hyper is None else with_hyper(trial.model, hyper)
        params, progress = twin.params(theta.copy()), start(model, theta, arithmetic, twin.shapes)
        state, path = twin.call("init_state", params, hyper=hyper), [progress]
        for gradient in [None, *_gradients(trial)]:
            if gradient is not None:
                twin.call("update", params, twin.params(gradient.copy()), state, hyper=hyper)
                progress = step(model, progress, gradient, arithmetic=arithmetic)
                path.append(progress)
            found = vector_of(twin.call("averaged", params, state))
            due = np.asarray(averaged(model, path, arithmetic), dtype=np.float64)
            error = mismatch(found, due) if np.isfinite(due).all() else 0.0
            errors.append(
                (error, f"after {progress.steps} updates it is off by {error:.2g} of its largest entry")
            )
    return worst(errors)


def _frozen(trial: Trial) -> Measure:
    """Frozen parameters stay as they are, of what magnitude they may be, in the module's own number type."""
    module, data = trial.module, _step_sample(trial)
    rng = np.random.default_rng((trial.seed, 17))
    vector = trial.twin.vector(data.parameters)
    before = (vector * 10.0 ** rng.uniform(-3, 0, vector.shape)).astype(module.dtype)
    params = module.params(before.copy())
    state = module.call("init_state", params)
    for gradient in _gradients(trial):
        module.call("update", params, module.params(gradient.astype(module.dtype)), state)
    wrong = _changed(trial, before, vector_of(params))
    module.call("train_step", params, state, *module.data(data))
    if trial.model.batch_axis:
        module.call("train_epoch", params, state, *module.data(data), batch_size="full")
    later = _changed(trial, before, vector_of(params))
    wrong += [name for name in later if name not in (*wrong, *trial.model.states)]
    return (math.inf if wrong else 0.0), f"{', '.join(wrong)} changed in training, though frozen"


def _changed(trial: Trial, before: Array, after: Array) -> list[str]:
    moved = zip(_blocks_of(trial, before), _blocks_of(trial, after), strict=True)
    return [name for (name, old), (_, new) in moved if old.tobytes() != new.tobytes()]


def _blocks_of(trial: Trial, vector: Array) -> Iterator[tuple[str, Array]]:
    """The frozen parameters in a vector of all."""
    first = 0
    for name, shape in trial.twin.shapes.items():
        if name in trial.model.frozen:
            yield name, vector[first : first + math.prod(shape)].astype(trial.module.dtype)
        first += math.prod(shape)


def _overflowing(trial: Trial) -> list[Array]:
    """Where gradients are clipped: one whose norm double precision holds, but not the squares in it."""
    clips = trial.model.spec.train.clip_norm is not None
    return [_gradients(trial)[0] * 1e170] if clips else []


def _update(trial: Trial) -> Measure:
    vector = trial.twin.vector(trial.points[0].sample.parameters)
    gradients = [*_gradients(trial), *_overflowing(trial)]
    arithmetic = vector_arithmetic(vector.size)
    progress = start(trial.model, vector, arithmetic, trial.twin.shapes)
    expected = [np.asarray(progress.theta)]
    for gradient in gradients:
        progress = step(trial.model, progress, gradient, arithmetic=arithmetic)
        expected.append(np.asarray(progress.theta))
    path = [np.asarray(theta, dtype=np.float64) for theta in expected]
    error, n = max(moved(_trajectory(trial.twin, vector, gradients), path, 2.0**-52))
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


class _LookAhead:
    """The states a look-ahead needs, by the optimiser's equations."""

    def __init__(self, trial: Trial, theta: Array) -> None:
        self.model, self.arithmetic = trial.model, vector_arithmetic(theta.size)
        self.progress = start(trial.model, theta, self.arithmetic, trial.twin.shapes)

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
        sample = trial.points[0].sample
    else:
        sample = draw(trial.model, "", trial.seed + 60, batch=2 * pieces.rows + 1)
    return settled(trial.twin, sample, [sample.data] * 2)


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
            off = moved_off(vector_of(twin.call("gradient_point", apart, states[1])), point, here)
            errors.append((off, f"gradient_point is {off:.2g} of the way off before step {n + 1}"))
        true, grads = twin.loss_and_grad(point, sample.data, twin.key(n))
        twin.call("update", apart, twin.params(twin.vector(grads)), states[1])
        apart = twin.params(advanced(trial, vector_of(apart), point, sample.data, twin.key(n)))
        ahead.follow(twin.vector(grads))
        moved = moved_off(vector_of(together), vector_of(apart), before)
        errors.append((moved, f"step {n + 1} ends {moved:.2g} of the change away from loss_and_grad, update"))
        off = mismatch(np.asarray(loss), np.asarray(true))
        errors.append((off, f"train_step gives the loss {loss:.10g}, loss_and_grad {true:.10g}"))
    return worst(errors)
