"""Which class each entry was taken for, which it has, and with what probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.training.scores.metrics import ScoredEntries

_ROUNDING = 1e-3


@dataclass(frozen=True)
class Decisions:
    """Numbers of classes, entry for entry, and the probability or score of every class.

    `are_probabilities` where these are at least 0 and come to 1.
    """

    probabilities: NDArray[Any]
    prediction: NDArray[Any]
    target: NDArray[Any]

    @property
    def are_probabilities(self) -> bool:
        """Whether every entry's are."""
        sums = self.probabilities.sum(axis=-1)
        return bool((self.probabilities >= 0).all() and (np.abs(sums - 1) <= _ROUNDING).all())


def decisions(module: ModuleType, scored: ScoredEntries | None) -> Decisions | None:
    """The decisions for classes, or between two; None where there are none, or the target is no class."""
    if scored is None or module.TASK not in ("classes", "binary"):
        return None
    target = scored.target.ravel()
    if module.TASK == "binary":
        if not np.isin(target, (0, 1)).all():
            return None
        second = np.asarray(scored.values, np.float64).ravel()
        probabilities = np.stack([1 - second, second], axis=-1)
        return Decisions(probabilities, (second > 0.5).astype(np.int64), target.astype(np.int64))
    if scored.values.ndim != scored.target.ndim + 1:
        return None
    values = np.asarray(scored.values, np.float64)
    return Decisions(values.reshape(-1, values.shape[-1]), scored.prediction.ravel(), target.astype(np.int64))
