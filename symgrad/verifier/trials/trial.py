"""What all checks share: the model, the module in both precisions, and the points to try them at."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from symgrad.verifier.gradients.reference import SpecReference
from symgrad.verifier.interpretation.arithmetic import DOUBLE, FIFTY_DIGITS, Arithmetic, choose
from symgrad.verifier.interpretation.interpreter import Evaluation, Shape, interpret, parameter_shapes
from symgrad.verifier.report import Check
from symgrad.verifier.sampling.samples import Sample, asked_for, draw, slopes_at
from symgrad.verifier.trials.subject import Door, FaultError, Subject, number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.array_library import Array

Measure: TypeAlias = tuple[float, str]
"""An error, and what to say of it if it is too large."""

ORDINARY, LARGE, TRAINED = "at a random point", "at large values", "after training"
TRAINING_STEPS = 10
_FEW, _MORE = 8, 6
"""Given numbers up to which all may be on one side of a choice, and how many points there are more then."""

_GROWTH = 30.0
_BESIDE, _NEAR = 2.0**-40, 1e-8
_ROUNDED, _ASTRAY = 2.0**-50, 4.0
"""What rounding may change of a parameter, and how much farther than samples of it rounding may lead."""
_PARTS = (1.0, 0.25, 2.0**-4, 2.0**-6, 2.0**-9)


@dataclass(frozen=True)
class TrialPoint:
    """A sample, what the spec says of it, and how closely to look."""

    sample: Sample
    exact: Evaluation
    reference: SpecReference
    thorough: bool

    @property
    def name(self) -> str:
        return self.sample.name


@dataclass(frozen=True, eq=False)
class Trial:
    """`twin` is the module in double precision; it is `module` itself where that is its number type.

    A trial equals itself alone, so that what is drawn for it can be remembered.
    """

    model: Model
    module: Subject
    twin: Subject
    points: tuple[TrialPoint, ...]
    seed: int

    @property
    def is_double(self) -> bool:
        return self.module.dtype == np.float64

    @property
    def trains(self) -> bool:
        return self.model.loss is not None and bool(self.model.parameters)

    def floor(self, point: TrialPoint) -> float:
        """The loss that rounding is relative to: here, but not less than at the first point."""
        losses = [p.exact.loss for p in (point, self.points[0])]
        return max((abs(float(loss)) for loss in losses if loss is not None), default=0.0)


def prepare(
    model: Model, module: Door, twin: Door, points: int, seed: int, batches: Iterable[int] = ()
) -> Trial:
    """Draw the points: random, with large values, after some training, then other batch sizes.

    `batches` are sizes that are tried beside the usual ones.

    Raises:
        SymgradError: no usable point exists.
    """
    first = draw(model, ORDINARY, seed)
    shapes = parameter_shapes(model, {**first.inputs, **first.targets})
    subjects = Subject(model, module, shapes), Subject(model, twin, shapes)
    samples = [first]
    if points > 1:
        samples.append(draw(model, LARGE, seed + 1, large=True))
    samples += [draw(model, f"at random point {n}", seed + n) for n in range(3, points)]
    found = [_point(model, sample, thorough=True) for sample in samples]
    if model.batch_axis:
        count = 1 + max(batch_size(model, s) for s in samples)
        sizes = sorted({1, count, *batches})
        others = [draw(model, f"with a batch of {n}", seed + 100 + n, batch=n) for n in sizes]
        found += [_point(model, sample, thorough=False) for sample in others]
    if sum(array.size for array in first.arrays.values()) <= _FEW and points > 1:
        more = [draw(model, f"at further point {n}", seed + 200 + n) for n in range(_MORE)]
        found += [_point(model, sample, thorough=False) for sample in more]
    return Trial(model, *subjects, tuple(found), seed)


def batch_size(model: Model, sample: Sample) -> int:
    """The number of samples in a batch; 1 when nothing counts them."""
    axis = model.batch_axis
    tensors = (*model.spec.inputs, *model.spec.targets)
    counts = [sample.arrays[t.name].shape[0] for t in tensors if t.axes[:1] == (axis,)]
    return counts[0] if counts else 1


def with_training(trial: Trial, seed: int) -> Trial:
    """The trial with one more point: where some steps of the module's own training lead.

    Training that runs away, at a learning rate too large for random data, is left before it does: where
    parameters grow beyond all bounds, or double precision does not hold the loss or its slopes.

    Raises:
        FaultError: training raised.
    """
    sample = draw(trial.model, TRAINED, seed)
    twin = trial.twin
    params = twin.params(twin.vector(sample.parameters))
    state = twin.call("init_state", params)
    reached = dict(sample.parameters)
    limit = _GROWTH * (1 + _largest(reached))
    for n in range(TRAINING_STEPS):
        data = draw(trial.model, "", seed + 1 + n).data
        twin.call("train_step", params, state, *twin.cast(data))
        ahead = twin.blocks(params, "train_step")
        there = replace(sample, parameters=ahead)
        if not (_largest(ahead) <= limit and slopes_at(trial.model, there).are_finite):
            break
        reached = ahead
    trained = replace(sample, parameters=reached)
    return replace(trial, points=(*trial.points, _point(trial.model, trained, thorough=True)))


def settled(twin: Subject, sample: Sample, batches: Iterable[Sequence[Array]]) -> Sample:
    """The sample, its parameters drawn towards 0 until the module's own steps on the batches are calm.

    Where they are calm nowhere it stays as it is.

    Raises:
        FaultError: training raised.
    """
    return calmed(twin, sample, batches) or sample


def calmed(twin: Subject, sample: Sample, batches: Iterable[Sequence[Array]]) -> Sample | None:
    """The sample as `settled` gives it; None where steps are calm nowhere.

    Raises:
        FaultError: training raised.
    """
    steps = list(batches)
    for part in _PARTS:
        nearer = {name: part * block for name, block in sample.parameters.items()}
        if is_calm(twin, twin.vector(nearer), steps):
            return replace(sample, parameters=nearer)
    return None


def is_calm(twin: Subject, vector: Array, batches: Iterable[Sequence[Array]]) -> bool:
    """Whether steps on these batches stay finite, and end near by where they begin a little beside.

    Raises:
        FaultError: training raised.
    """
    steps = list(batches)
    here, beside = (_trained(twin, start, steps) for start in (vector, vector * (1 + _BESIDE)))
    if not (np.isfinite(here).all() and np.isfinite(beside).all()):
        return False
    return bool(np.max(np.abs(here - beside), initial=0.0) <= _NEAR * (1 + np.max(np.abs(here), initial=0.0)))


def _trained(twin: Subject, vector: Array, batches: Sequence[Sequence[Array]]) -> Array:
    """The parameters after steps on these batches, and the losses on the way."""
    params = twin.params(vector.copy())
    state = twin.call("init_state", params)
    losses = [twin.call("train_step", params, state, *twin.cast(data)) for data in batches]
    return np.array([*vector_of(params), *(number(loss, "train_step") for loss in losses)])


def _largest(blocks: Mapping[str, Array]) -> float:
    return float(np.max([np.max(np.abs(block)) for block in blocks.values()]))


def _point(model: Model, sample: Sample, *, thorough: bool) -> TrialPoint:
    work = interpret(model, sample.arrays, DOUBLE).work
    reference = SpecReference(model, sample.arrays, asked_for(model))
    return TrialPoint(sample, interpret(model, sample.arrays, choose(work)), reference, thorough)


def vector_arithmetic(size: int) -> Arithmetic:
    """The arithmetic for the optimiser's equations on so many parameters."""
    return choose(size * 1000.0) if size else FIFTY_DIGITS


def excused(
    got: Array, expected: Array, tolerance: float, moved: Callable[[], Array], slack: float = 0.0
) -> float:
    """The mismatch; where it is beyond the tolerance, less what rounding may have moved."""
    error = mismatch(got, expected, slack)
    return error if error <= tolerance else mismatch(got, expected, slack + moved())


def mismatch(got: Array, expected: Array, slack: float | Array = 0.0) -> float:
    """The largest |got − expected| less `slack`, relative to the largest |expected|; inf if not finite."""
    true = np.asarray(expected, dtype=np.float64)
    if not np.isfinite(got).all():
        return math.inf
    if not got.size:
        return 0.0
    excess = max(float(np.max(np.abs(got - true) - slack)), 0.0)
    return excess / max(float(np.max(np.abs(true))), 1e-300) if excess else 0.0


def measured(name: str, what: str, tolerance: float, measure: Callable[[], Measure]) -> Check:
    """A check that fails unless its error is within the tolerance (nan is not), or if the module raised."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # a faulty module may give infinities
            error, message = measure()
    except FaultError as fault:
        error, message = math.inf, str(fault)
    if error <= tolerance:
        return Check(name, what, error, tolerance, "pass")
    return Check(name, what, error, tolerance, "fail", message)


def worst(errors: Sequence[Measure]) -> Measure:
    """The largest error and where it was; nan counts as infinite."""
    return max(((e if e == e else math.inf, where) for e, where in errors), default=(0.0, ""))


def shapes_of(arrays: Sequence[Array]) -> list[Shape]:
    """The shape of every array."""
    return [np.shape(a) for a in arrays]


def vector_of(params: Any) -> Array:
    """All parameters of a Params, in double precision."""
    return np.concatenate([np.ravel(np.asarray(p, dtype=np.float64)) for p in params])


def moved_off(got: Array, expected: Array, before: Array, strayed: float | Array = 0.0) -> float:
    """The error of a change of parameters, less what rounding of the parameters themselves explains.

    `strayed` is what rounding on the way explains, of each parameter.
    """
    slack = 2.0**-48 * float(np.max(np.abs(before), initial=0.0))
    with np.errstate(invalid="ignore"):  # what is not finite is told
        return mismatch(got - before, expected - before, slack + strayed)


def strayed(ends: Callable[[Array], Array], end: Array, before: Array) -> Array:
    """How far from `end` paths lead that begin beside `before`, by what rounding may change there.

    A parameter whose gradient is zero but for rounding, a bias before a normalisation, goes where that leads:
    an optimiser that divides by the gradient's own size makes much of it.
    """
    paths = [ends(before * (1 + part * _ROUNDED)) for part in (-1, 1, 2)]
    return np.asarray(_ASTRAY * np.max([np.abs(path - end) for path in paths], axis=0))


def moved(got: Sequence[Array], expected: Sequence[Array], epsilon: float) -> list[tuple[float, int]]:
    """The worst relative error of any entry's change, for each step."""
    errors = []
    for n in range(1, len(expected)):
        if not np.isfinite(got[n - 1 : n + 1]).all():
            errors.append((math.inf, n))
            continue
        delta, true = got[n] - got[n - 1], expected[n] - expected[n - 1]
        slack = 4 * epsilon * (np.abs(expected[n]) + np.abs(expected[n - 1]))
        excess = np.maximum(np.abs(delta - true) - slack, 0.0)
        error = excess / np.maximum(np.abs(true), 1e-300)
        errors.append((float(np.max(np.where(excess > 0, error, 0.0))), n))
    return errors
