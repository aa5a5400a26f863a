"""What a gradient may be where a spec has none, or several: at exact zeros and ties."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.gradients.differences import Differences, Slope
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.spec.model import Model
    from symgrad.verifier.interpretation.array_library import Array

GRADIENT = "the gradient of "

_STEEP = 2.0**20
"""A difference quotient above this may stand for an infinite slope."""

_CLOSE = 1e-9


class SidedSlopes:
    """The slopes of a spec's loss to either side of a point, by differences in 50 digits."""

    def __init__(self, model: Model, arrays: Mapping[str, Array]) -> None:
        self.model, self.arrays = model, arrays

    @cached_property
    def differences(self) -> Differences:
        return Differences(self.model, self.arrays, FIFTY_DIGITS)

    def admit(self, what: str, place: int, found: Any, tape: Any) -> bool:
        """Whether a text may have `found` at a place where the tape of its spec has something else.

        Where a formula has no value or an infinite one, as 0/0, nothing is asked of a text; of a gradient
        that it lies between the slopes to either side, or, as there may be several kinks at once, as near.
        """
        is_undefined = not _is_finite(tape)
        if not what.startswith(GRADIENT):
            return is_undefined
        name = what.removeprefix(GRADIENT)
        if name in self.model.states:
            return False
        slope = self._beside(name, place)
        if slope is None:
            return True
        if not _is_finite(found):
            return is_undefined
        value, width = float(found), slope.high - slope.low
        off = abs(value - slope.nearest(value)) - width - slope.uncertainty
        return off <= _CLOSE * max(1.0, abs(slope.low), abs(slope.high))

    def _beside(self, name: str, place: int) -> Slope | None:
        """The slopes to either side of an entry; None where there are none, or infinite ones."""
        if not math.isfinite(self.differences.loss):
            return None
        direction = np.zeros(self.differences.shapes[name])
        direction[np.unravel_index(place, direction.shape)] = 1.0
        slope = self.differences.slope(name, direction)
        return slope if max(abs(slope.low), abs(slope.high)) < _STEEP else None


def _is_finite(number: Any) -> bool:
    return not isinstance(number, np.ndarray) and math.isfinite(number)
