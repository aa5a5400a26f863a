"""Slopes of a model's loss at one point, and a claimed gradient held against them in every digit there is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.gradients.differences import Differences
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS, Arithmetic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.sampling.samples import Sample

MOST_DIGITS = 30
"""What a central difference with a step of 2⁻⁵⁰ can tell."""

_OTHERS = 8
"""How many entries are looked at beside a wrong one, to tell what is wrong."""


@dataclass(frozen=True)
class Agreement:
    """A claim holds at a point, to so many digits; without evidence both it and the slopes are 0."""

    digits: int
    evidence: bool


@dataclass(frozen=True)
class Disagreement:
    """A wrong entry, the first one if all were looked at, and how many are known to be wrong.

    `true` holds the slopes in float64 that were looked at, nan elsewhere.
    """

    index: tuple[int, ...]
    true: Array
    wrong: int


class LossSlopes:
    """The slopes of the loss at a sample, by central differences in an arithmetic."""

    def __init__(self, model: Model, sample: Sample, arithmetic: Arithmetic) -> None:
        self.differences = Differences(model, sample.arrays, arithmetic)
        self.arithmetic = arithmetic
        is_exact = arithmetic is FIFTY_DIGITS
        self.tolerance = 1e-20 if is_exact else 1e-8
        self.noise = (1e-30 if is_exact else 1e-13) * abs(self.differences.loss)

    def along(self, name: str, direction: Array, near: object) -> tuple[Any, float]:
        """The slope along a direction, at a kink the one nearest to `near`, and its uncertainty."""
        if not self.arithmetic.extrapolate:
            step = self.arithmetic.steps[0]
            exact = self.differences.central({name: self.arithmetic.array(direction)}, step)
            if exact is not None:
                return exact[()], 0.0
        slope = self.differences.slope(name, direction)
        return slope.nearest(float(np.asarray(near))), 4 * slope.uncertainty

    def gradient(self, name: str, claimed: Array) -> Array:
        """The slope along every entry of a tensor."""
        return self._entries(name, claimed, range(claimed.size))[0].reshape(claimed.shape)

    def compare(self, name: str, claimed: Array) -> Agreement | Disagreement:
        """Hold every entry of a claimed gradient against the slope along it."""
        everything = np.arange(claimed.size)
        true, margins = self._entries(name, claimed, everything)
        wrong = self._wrong(claimed, everything, true, margins)
        if wrong.any():
            return _disagreement(claimed, int(np.argmax(wrong)), everything, true, wrong)
        scale = _largest(true)
        return Agreement(_digits(_largest(np.ravel(claimed) - true), scale), scale > self.noise)

    def compare_along(self, name: str, claimed: Array, rng: np.random.Generator) -> Agreement | Disagreement:
        """Hold a claimed gradient against the slope along a random direction: every entry takes part.

        A wrong entry would have to be made up for by others, in every digit. If the slope is wrong, the entry
        most to blame is found by halving the direction.
        """
        direction = np.asarray(rng.normal(size=claimed.shape))
        parts = claimed * self.arithmetic.array(direction)
        slope: Any = parts.sum()
        true, margin = self.along(name, direction, slope)
        scale = max(_largest(parts), abs(float(true)))
        error = abs(slope - true)
        if error <= self.tolerance * scale + self.noise + margin:
            return Agreement(_digits(float(error), scale), scale > self.noise)
        guilty = self._guilty(name, parts, direction, slope - true)
        others = rng.choice(claimed.size, min(claimed.size, _OTHERS), replace=False)
        seen = np.unique([guilty, *others])
        slopes, margins = self._entries(name, claimed, seen)
        return _disagreement(claimed, guilty, seen, slopes, self._wrong(claimed, seen, slopes, margins))

    def _entries(self, name: str, claimed: Array, flats: Iterable[int]) -> tuple[Array, Array]:
        """The slopes along the entries at these places of the flattened tensor, and their uncertainties."""
        found = []
        for flat in flats:
            direction = np.zeros(claimed.size)
            direction[flat] = 1.0
            found.append(self.along(name, direction.reshape(claimed.shape), claimed.flat[flat]))
        slopes, margins = zip(*found, strict=True)
        return self.arithmetic.array(np.array(slopes)), np.array(margins)

    def _wrong(self, claimed: Array, flats: Array, true: Array, margins: Array) -> Array:
        errors = np.abs(claimed.flat[flats] - true)
        return ~np.asarray(errors <= self.tolerance * _largest(true) + self.noise + margins, dtype=bool)

    def _guilty(self, name: str, parts: Array, direction: Array, excess: Any) -> int:
        lost = np.flatnonzero(~np.isfinite(parts.astype(np.float64)))
        suspects = np.arange(direction.size) if not lost.size else lost[:1]
        while suspects.size > 1:
            left, right = np.array_split(suspects, 2)
            half = np.zeros(direction.size)
            half[left] = direction.flat[left]
            claimed = parts.flat[left].sum()
            blame = claimed - self.along(name, half.reshape(direction.shape), claimed)[0]
            is_left = not abs(blame) < abs(excess - blame)
            suspects, excess = (left, blame) if is_left else (right, excess - blame)
        return int(suspects[0])


def _disagreement(claimed: Array, flat: int, seen: Array, true: Array, wrong: Array) -> Disagreement:
    known = np.full(claimed.size, np.nan)
    known[seen] = true.astype(np.float64)
    index = tuple(int(i) for i in np.unravel_index(flat, claimed.shape))
    return Disagreement(index, known.reshape(claimed.shape), int(wrong.sum()))


def _largest(values: Array) -> float:
    return float(np.max(np.abs(values)))


def _digits(error: float, scale: float) -> int:
    """How many decimal digits of `scale` an error leaves."""
    if error == 0 or scale == 0:
        return MOST_DIGITS
    return max(0, min(MOST_DIGITS, math.floor(-math.log10(error / scale))))
