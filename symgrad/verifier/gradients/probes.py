"""What is claimed of a gradient, entry by entry and along directions, and what the spec's own loss says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.verifier.gradients.differences import Differences, Slope
    from symgrad.verifier.interpretation.array_library import Array


@dataclass(frozen=True)
class Probe:
    """The slope the gradient claims along a direction, and the one the spec's loss has."""

    index: tuple[int, ...] | None
    claimed: float
    slope: Slope

    @property
    def true(self) -> float:
        return self.slope.nearest(self.claimed)


@dataclass(frozen=True)
class Known:
    """The spec's slopes in all entries, and how far rounding may move each, which takes time to find out."""

    slopes: Array
    rounding: Callable[[], Array]


@dataclass(frozen=True)
class ClaimedGradient:
    """A gradient claimed for the tensor `name` at the point of `differences`, of the right shape."""

    differences: Differences
    name: str
    gradient: Array
    point: str
    batch: int
    known: Known | None = None

    def entry(self, flat: int) -> Probe:
        """The probe of one entry."""
        index = tuple(int(i) for i in np.unravel_index(flat, self.gradient.shape))
        direction = np.zeros(self.gradient.shape)
        direction[index] = 1.0
        return Probe(index, float(self.gradient[index]), self.differences.slope(self.name, direction))

    def along(self, direction: Array) -> Probe:
        """The probe of a direction."""
        claimed = math.fsum(np.ravel(self.gradient * direction))
        return Probe(None, claimed, self.differences.slope(self.name, direction))
