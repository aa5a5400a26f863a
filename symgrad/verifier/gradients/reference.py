"""What a spec says of one point: its values and every slope of its loss, and how far rounding may move them.

The slopes are those of a tape in the most exact arithmetic the machine has. How far rounding may move a
value is measured, not bounded: the tape runs again with every result changed at random in its last place
(Monte Carlo arithmetic; Parker, 1997), as double precision or single precision changes it. Where a formula
is well conditioned nothing moves by more than some units; where it amplifies what it is given, or cancels,
the values move as far as those of any program that computes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import SpecError
from symgrad.verifier.gradients.differences import Differences
from symgrad.verifier.gradients.local_slopes import slopes_in
from symgrad.verifier.gradients.tape import Rounding, Tape
from symgrad.verifier.interpretation.arithmetic import DOUBLE, NATIVE, Arithmetic, choose
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.interpretation.philox_numbers import INFERENCE, Key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.array_library import Array

RUNS = 8
"""Of so many runs the farthest counts."""

MARGIN = 16.0
"""How much farther than in all runs another program's rounding may lead: it may take other steps."""


_EVALUATIONS = 40
"""About how often the loss is evaluated to confirm the slopes at all points."""

_DIRECTIONS, _CLOSE = 2, 1e-10


@dataclass(frozen=True)
class ValuesAndSlopes:
    """Values and slopes at one point, or how far they may be off. `loss` is None where there is none.

    So is `evaluation`, the loss of inference, also where that is no other one.
    """

    outputs: tuple[Array, ...]
    prediction: tuple[Array, ...]
    loss: Array | None
    gradients: Mapping[str, Array]
    evaluation: Array | None = None

    @property
    def are_finite(self) -> bool:
        """Whether all of them are numbers that double precision holds."""
        loss = [value for value in (self.loss, self.evaluation) if value is not None]
        arrays = (*self.outputs, *self.prediction, *loss, *self.gradients.values())
        return all(np.isfinite(np.asarray(a, dtype=np.float64)).all() for a in arrays)


@dataclass(frozen=True)
class SpecReference:
    """A model at one point, that draws by a key; `names` are the tensors whose gradients may be asked for."""

    model: Model
    arrays: Mapping[str, Array]
    names: tuple[str, ...]
    key: Key = INFERENCE

    @cached_property
    def slopes(self) -> ValuesAndSlopes:
        """Values and slopes, exact for the purposes of double precision; nan where a formula has none."""
        return slopes_of(self.model, self.arrays, self.names, key=self.key)

    @cached_property
    def differences(self) -> Differences:
        """Slopes along any direction, by the loss alone."""
        work = interpret(self.model, self.arrays, DOUBLE).work
        return Differences(self.model, self.arrays, choose(float(work) * _EVALUATIONS), self.key)

    @cached_property
    def is_confirmed(self) -> bool:
        """Whether the slopes are finite and, along random directions of all entries, those of differences."""
        gradients = {n: g for n, g in self.slopes.gradients.items() if n not in self.model.states}
        if not self.slopes.are_finite:
            return False
        size = math.sqrt(sum(float(np.sum(np.square(g))) for g in gradients.values()))
        rng = np.random.default_rng(1)
        for _ in range(_DIRECTIONS if gradients else 0):
            directions = {name: rng.choice([-1.0, 1.0], size=g.shape) for name, g in gradients.items()}
            claimed = float(sum(np.sum(g * directions[name]) for name, g in gradients.items()))
            true = self.differences.along(directions)
            off = abs(claimed - true.nearest(claimed)) - true.uncertainty
            if not (off <= _CLOSE * max(size, abs(claimed)) or off <= self._noise):
                return False
        return True

    @cached_property
    def _noise(self) -> float:
        """What rounding may do to slopes and to differences where both are sums of much larger numbers."""
        moved, arithmetic = self.double, self.differences.arithmetic
        slopes = sum(float(np.sum(g)) for g in moved.gradients.values()) * NATIVE.epsilon
        loss = float(moved.loss or 0.0) * arithmetic.epsilon / min(arithmetic.steps)
        return (slopes + loss) / DOUBLE.epsilon

    @cached_property
    def double(self) -> ValuesAndSlopes:
        """How far double precision may move each of them."""
        return self._moved(2.0**-53)

    @cached_property
    def single(self) -> ValuesAndSlopes:
        """How far single precision may move each of them."""
        return self._moved(2.0**-24)

    def _moved(self, unit: float) -> ValuesAndSlopes:
        rng = np.random.default_rng(0)
        here = self.slopes
        runs = [
            slopes_of(self.model, self.arrays, self.names, DOUBLE, rounding_to(unit, rng), self.key)
            for _ in range(RUNS)
        ]
        return ValuesAndSlopes(
            tuple(_farthest(a, [r.outputs[n] for r in runs]) for n, a in enumerate(here.outputs)),
            tuple(_farthest(a, [r.prediction[n] for r in runs]) for n, a in enumerate(here.prediction)),
            _farthest_loss(here.loss, [r.loss for r in runs]),
            {name: _farthest(a, [r.gradients[name] for r in runs]) for name, a in here.gradients.items()},
            _farthest_loss(here.evaluation, [r.evaluation for r in runs]),
        )


def slopes_of(
    model: Model,
    arrays: Mapping[str, Array],
    names: tuple[str, ...],
    arithmetic: Arithmetic = NATIVE,
    rounding: Rounding | None = None,
    key: Key = INFERENCE,
) -> ValuesAndSlopes:
    """Values of a model, and the slopes of its loss in all entries of some tensors, by one tape.

    None passes through states of the model: theirs are 0.

    Raises:
        SpecError: a formula outside the language, or a missing array.
    """
    labels = {t.name for t in (*model.spec.inputs, *model.spec.targets) if t.classes is not None}
    tape = Tape(arithmetic, slopes_in(arithmetic), rounding)
    given: dict[str, Any] = {n: a if n in labels else tape.variable(a) for n, a in arrays.items()}
    with np.errstate(all="ignore"):
        found = interpret(model, given, tape.arithmetic, key=key)
        if found.loss is None and names:
            raise SpecError("there is no loss to differentiate", at=model.spec.at)
        wanted = [tape.of(found.tensors[name]) for name in names]
        slopes = tape.gradients(tape.of(found.loss), wanted) if names else []
    return ValuesAndSlopes(
        tuple(tape.of(a).array for a in found.outputs),
        tuple(tape.of(a).array for a in found.prediction),
        None if found.loss is None else tape.of(found.loss).array,
        {n: np.zeros_like(s) if n in model.states else s for n, s in zip(names, slopes, strict=True)},
        None if found.evaluation is None else tape.of(found.evaluation).array,
    )


def rounding_to(unit: float, rng: np.random.Generator) -> Rounding:
    """Changes a result by half to all of `unit`, up or down, relative to a magnitude.

    Infinity stays, and whole numbers made of none that are large, such as the exponents of slopes: no machine
    rounds those.
    """

    def rounded(result: Array, magnitude: Array) -> Array:
        moved = rng.uniform(0.5 * unit, unit, size=result.shape)
        off = magnitude * np.where(rng.random(result.shape) < 0.5, -moved, moved)
        is_exact = np.isinf(result) | ((result == np.round(result)) & (np.abs(magnitude) * unit < 1))
        return np.asarray(np.where(is_exact, result, result + off))

    return rounded


def _farthest_loss(here: Array | None, runs: list[Array | None]) -> Array | None:
    return None if here is None else _farthest(here, [run for run in runs if run is not None])


def _farthest(here: Array, runs: list[Array]) -> Array:
    """The largest distance in each entry, in double precision; infinite where a run gives no number."""
    with np.errstate(all="ignore"):
        distances = [np.asarray(np.abs(run - here), dtype=np.float64) for run in runs]
    largest = np.max(distances, axis=0)
    return np.asarray(MARGIN * np.where(np.isnan(largest), np.inf, largest))
