"""Numerical differentiation: the loss at neighbouring points, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.verifier.interpretation.array_library import Array

SLIDES_STEP = 1e-4
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Difference:
    """A way to a slope from values of the loss.

    `slope` takes the loss as a function of a step along one entry, the loss here and the step. `step` is
    the distance for an entry x: fixed, or growing with |x|. `evaluations` are needed for each entry, and
    `accuracy` is what may be lost where the loss is smooth, relative to the largest entry or the loss.
    """

    name: str
    slope: Callable[[Callable[[float], float], float, float], float]
    step: Callable[[Array], Array]
    evaluations: int
    accuracy: float

    def gradient(self, loss: Callable[[], float], vector: Array) -> tuple[float, Array]:
        """The loss at `vector` and its slopes; `loss` reads the vector, which is left as it was."""
        here, slopes, steps = loss(), np.empty_like(vector), self.step(vector)
        for place, centre in enumerate(vector.copy()):

            def at(shift: float, place: int = place, centre: float = centre) -> float:
                vector[place] = centre + shift
                return loss()

            slopes[place] = self.slope(at, here, float(steps[place]))
            vector[place] = centre
        return here, slopes


def _forward(at: Callable[[float], float], here: float, h: float) -> float:
    return (at(h) - here) / h


def _central(at: Callable[[float], float], here: float, h: float) -> float:  # noqa: ARG001  # as the others
    return (at(h) - at(-h)) / (2 * h)


def _richardson(at: Callable[[float], float], here: float, h: float) -> float:
    return (4 * _central(at, here, h / 2) - _central(at, here, h)) / 3


def _relative(power: float) -> Callable[[Array], Array]:
    return lambda vector: _EPSILON**power * np.maximum(1.0, np.abs(vector))


DIFFERENCES = (
    Difference(
        "forward, h = 1e-4",
        _forward,
        lambda vector: np.full(vector.shape, SLIDES_STEP),
        evaluations=1,
        accuracy=1e-2,
    ),
    Difference("central", _central, _relative(1 / 3), evaluations=2, accuracy=1e-6),
    Difference("Richardson", _richardson, _relative(1 / 5), evaluations=4, accuracy=1e-7),
)
"""Forward as lecture 001 has it; the steps of the others balance rounding with what is cut off."""
