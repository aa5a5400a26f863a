"""Whether probabilities mean what they say: how often the likeliest class is right, by its probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from symgrad.training.scores.decisions import Decisions

_BINS = 10


@dataclass(frozen=True)
class SureDecisions:
    """The probability, or score, of the likeliest class of each entry, and whether that is the right one."""

    confidence: NDArray[Any]
    right: NDArray[Any]
    are_probabilities: bool

    @classmethod
    def of(cls, decided: Decisions) -> SureDecisions:
        """What a calibration asks of decisions, without what they say of every class."""
        confidence = decided.probabilities.max(axis=-1)
        return cls(confidence, decided.prediction == decided.target, decided.are_probabilities)


@dataclass(frozen=True)
class CalibrationBin:
    """Entries whose likeliest class has about this probability: how many they are, how many of them right."""

    count: int
    probability: float
    share_right: float


@dataclass(frozen=True)
class Calibration:
    """`error` is the mean distance of probability and share, over all entries.

    That is the expected calibration error over ten bins of equal width (Guo et al., "On Calibration of Modern
    Neural Networks", 2017).
    """

    bins: tuple[CalibrationBin, ...]
    error: float


def calibration_of(decided: Sequence[SureDecisions]) -> Calibration | None:
    """The calibration of probabilities; None of scores that are none, and of no entries."""
    if not all(found.are_probabilities for found in decided):
        return None
    confidence = np.concatenate([found.confidence for found in decided])
    right = np.concatenate([found.right for found in decided])
    if not right.size:
        return None
    number = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    bins = tuple(
        CalibrationBin(int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for inside in (number == k for k in range(_BINS))
        if inside.any()
    )
    distance = sum(found.count * abs(found.probability - found.share_right) for found in bins)
    return Calibration(bins, distance / len(right))
