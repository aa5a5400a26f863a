"""Whether probabilities mean what they say: how often the likeliest class is right, by its probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from symgrad.training.scores.decisions import Decisions

_BINS = 10


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


def calibration_of(decided: Decisions) -> Calibration | None:
    """The calibration of probabilities; None of scores that are none, and of no entries."""
    if not decided.target.size or not decided.are_probabilities:
        return None
    confidence = decided.probabilities.max(axis=-1)
    right = decided.prediction == decided.target
    number = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    bins = tuple(
        CalibrationBin(int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean()))
        for inside in (number == k for k in range(_BINS))
        if inside.any()
    )
    distance = sum(found.count * abs(found.probability - found.share_right) for found in bins)
    return Calibration(bins, distance / len(right))
