"""Slopes of a model's loss by central differences, independent of every derivative rule.

With 50 digits a step of 2⁻⁵⁰ leaves a truncation error of about 2⁻¹⁰⁰: one difference is exact for our
purposes, unless the loss changes by a part of itself within so short a step; then a shorter one is made. In
extended or double precision three steps h, h/2, h/4 are extrapolated to 0 (Richardson 1911)
and the last correction, with the rounding noise, is the stated uncertainty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from symgrad.errors import SpecError
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.interpretation.philox_numbers import INFERENCE, Key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.arithmetic import Arithmetic
    from symgrad.verifier.interpretation.array_library import Array


_LEAST = 1e-12
"""A loss that is smaller counts as this, where it is asked what part of it changes."""


@dataclass(frozen=True)
class Slope:
    """A directional derivative. At a kink it lies anywhere between `low` and `high`."""

    low: float
    high: float
    uncertainty: float

    @property
    def is_kink(self) -> bool:
        return self.low != self.high

    def nearest(self, slope: float) -> float:
        """The admissible slope nearest to `slope`; nan counts as none."""
        return float(min(max(slope, self.low), self.high)) if slope == slope else self.low


@dataclass(frozen=True)
class _Try:
    """The loss and the branches taken at one place."""

    loss: Array
    branches: tuple[bytes, ...]

    def takes_branches_of(self, other: _Try) -> bool:
        finite = np.isfinite(np.asarray(self.loss, dtype=np.longdouble))
        return bool(finite) and self.branches == other.branches


class Differences:
    """Slopes of the loss of one model at one point, with respect to any of its tensors.

    Raises:
        SpecError: the model has no loss here.
    """

    def __init__(
        self, model: Model, arrays: Mapping[str, Array], arithmetic: Arithmetic, key: Key = INFERENCE
    ) -> None:
        labels = {t.name for t in (*model.spec.inputs, *model.spec.targets) if t.classes is not None}
        self.model, self.arithmetic, self.key = model, arithmetic, key
        self.arrays = {n: a if n in labels else arithmetic.array(a) for n, a in arrays.items()}
        here = interpret(model, self.arrays, arithmetic, key=key)
        if here.loss is None:
            raise SpecError("there is no loss to differentiate", at=model.spec.at)
        self.here = _Try(here.loss, here.branches)
        self.stopped = here.stopped
        self.loss = float(here.loss)
        self.shapes = {name: array.shape for name, array in here.tensors.items()}

    def slope(self, name: str, direction: Array) -> Slope:
        """The slope along a direction in the tensor `name`, an array of its shape."""
        return self.along({name: direction})

    def along(self, directions: Mapping[str, Array]) -> Slope:
        """The slope along a direction in several tensors at once."""
        along = {
            name: self.arithmetic.array(np.asarray(d, dtype=np.float64)) for name, d in directions.items()
        }
        best: Slope | None = None
        for step in self.arithmetic.steps:
            found = self._smooth(along, step)
            if found is not None and (best is None or found.uncertainty < best.uncertainty):
                best = found
            if best is not None and self._is_sharp(best):
                break
        return best or self._kink(along, self.arithmetic.steps[-1])

    def _is_sharp(self, slope: Slope) -> bool:
        """Whether a smaller step is not worth its rounding noise."""
        return slope.uncertainty <= max(1e-10 * abs(slope.low), 2e-13 * abs(self.loss))

    def _at(self, along: Mapping[str, Array], step: float) -> _Try:
        length = self.arithmetic.array(step)
        shifts = {n: np.asarray(d * length, dtype=self.arithmetic.dtype) for n, d in along.items()}
        there = interpret(self.model, self.arrays, self.arithmetic, shifts, self.stopped, key=self.key)
        if there.loss is None:
            raise SpecError("there is no loss to differentiate", at=self.model.spec.at)
        return _Try(there.loss, there.branches)

    def central(self, along: Mapping[str, Array], step: float) -> Array | None:
        """The central difference in the arithmetic's own numbers, None where a branch changes on the way."""
        plus, minus = self._at(along, step), self._at(along, -step)
        if not (plus.takes_branches_of(self.here) and minus.takes_branches_of(self.here)):
            return None
        return np.asarray((plus.loss - minus.loss) / self.arithmetic.array(2 * step))

    def _smooth(self, along: Mapping[str, Array], step: float) -> Slope | None:
        first = self.central(along, step)
        if first is None:
            return None
        noise = 4 * self.arithmetic.epsilon * abs(self.loss) / step
        if not self.arithmetic.extrapolate:
            return Slope(float(first), float(first), noise + self._truncation(float(first), step))
        second, third = (self.central(along, step / n) for n in (2, 4))
        if second is None or third is None:
            return None
        left, right = (4 * second - first) / 3, (4 * third - second) / 3
        best = (16 * right - left) / 15
        return Slope(float(best), float(best), abs(float(best - right)) + 4 * noise)

    def _truncation(self, slope: float, step: float) -> float:
        """About what a step leaves out: as much as of a function that bends as far as it rises."""
        change = abs(slope) * step / max(abs(self.loss), _LEAST)
        return abs(slope) * change * change

    def _kink(self, along: Mapping[str, Array], step: float) -> Slope:
        """One-sided slopes at the smallest step; their truncation error is first order."""
        h = self.arithmetic.array(step)
        after = float((self._at(along, step).loss - self.here.loss) / h)
        before = float((self.here.loss - self._at(along, -step).loss) / h)
        size = max(abs(after), abs(before), abs(self.loss))
        noise = 4 * self.arithmetic.epsilon * abs(self.loss) / step
        return Slope(min(before, after), max(before, after), 16 * step * size + noise)
