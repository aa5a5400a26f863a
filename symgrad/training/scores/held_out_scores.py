"""Scores by name that training measures on held-out rows after every epoch, and may watch."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symgrad.errors import DataError, ModuleError
from symgrad.training.scores.metrics import score_name
from symgrad.training.scores.scorers import Scorer, named_scores, scorers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from symgrad.spec.model import TrainSpec
    from symgrad.training.dataset.data import Dataset

NamedNumbers = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class HeldOutScores:
    """Scores of scikit-learn's by name, of a module on some rows; `watch` says which epoch is best."""

    module: ModuleType
    dataset: Dataset | None
    named: Mapping[str, Scorer]
    watch: str | None

    def measured(self, params: Any) -> NamedNumbers:
        """The scores with these parameters; one that cannot be computed there is not a number."""
        if self.dataset is None or not self.named:
            return ()
        with warnings.catch_warnings(action="ignore"):  # of classes that nothing was taken for yet
            try:
                return named_scores(self.module, params, self.dataset, self.named)
            except ModuleError:  # they fitted before the first epoch
                return tuple((name, math.nan) for name in self.named)

    def watched(self, measured: NamedNumbers, score: float | None) -> float | None:
        """What is watched, the lower the better; None where it is the loss."""
        if self.watch is None:
            return None
        value = score if self.watch == score_name(self.module) else dict(measured)[self.watch]
        return math.inf if value is None or math.isnan(value) else -value


def held_out_scores(
    module: ModuleType, plan: TrainSpec, held_out: Dataset | None, params: Any
) -> HeldOutScores:
    """What the plan asks for, tried with the parameters that training begins with.

    Raises:
        DataError: there are no rows held out, or nothing to score.
        ModuleError: scikit-learn is missing, has no such score, or it does not fit this network.
    """
    watch = plan.stop.watch if plan.stop.watch != "loss" else None
    asked = dict.fromkeys((*plan.metrics, *((watch,) if watch else ())))
    if asked and held_out is None:
        problem = f"{', '.join(asked)}: scores by name are measured on held-out rows, and there are none"
        raise DataError(problem, at=module.SPEC_NAME, remedy="hold some out: validation: 0.2")
    own = score_name(module)
    named = scorers([name for name in asked if name != own])
    if held_out is not None:
        with warnings.catch_warnings(action="ignore"):
            named_scores(module, params, held_out, named)
    return HeldOutScores(module, held_out, named, watch)
