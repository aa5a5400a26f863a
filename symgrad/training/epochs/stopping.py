"""When training ends before its last epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from symgrad.spec.model import StopSpec

StopReason: TypeAlias = Literal[
    "epochs",
    "converged",
    "no progress",
    "time limit",
    "callback",
    "callback failed",
    "interrupted",
    "diverged",
]
STOPS: tuple[StopReason, ...] = ("converged", "no progress", "time limit")
"""Why `stop` of a spec ends training, which stays so when it goes on."""


@dataclass(frozen=True)
class Watch:
    """The loss to beat, for how many epochs it was not beaten, and for how many training hardly moved."""

    best: float = math.inf
    last: float = math.inf
    stale: int = 0
    steady: int = 0

    def after(self, training: float, judged: float, tolerance: float) -> Watch:
        """The watch after one more epoch; a gain or a change within `tolerance` does not count.

        `training` is the loss that is minimised, `judged` the one that says which epoch is best.
        """
        steady = self.steady + 1 if abs(training - self.last) <= tolerance else 0
        if judged < self.best - tolerance:
            return Watch(judged, training, 0, steady)
        return Watch(self.best, training, self.stale + 1, steady)


def keeps_best(stop: StopSpec) -> bool:
    """Whether the best epoch's parameters are kept: where training stops by it, or a score is watched."""
    return stop.patience is not None or stop.tolerance is not None or stop.watch is not None


def stop_reason(stop: StopSpec, watch: Watch, elapsed: float) -> StopReason | None:
    """Why training should stop now, or None to go on.

    The objective has converged when the training loss changes by no more than `tolerance` from one epoch to
    the next, `patience` times in a row where that is given too. `patience` alone bears so many epochs without
    a new best, on the rows held out where there are some.
    """
    if stop.tolerance is not None and watch.steady >= (stop.patience or 1):
        return "converged"
    if stop.patience is not None and watch.stale >= stop.patience:
        return "no progress"
    if stop.time_limit is not None and elapsed >= stop.time_limit:
        return "time limit"
    return None
