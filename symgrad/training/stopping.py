"""When training ends before its last epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from symgrad.spec.model import StopSpec

StopReason: TypeAlias = Literal["epochs", "no progress", "time limit", "interrupted", "diverged"]


@dataclass(frozen=True)
class Watch:
    """The loss to beat, and for how many epochs it has not been beaten."""

    loss: float = math.inf
    stale: int = 0

    def after(self, loss: float, tolerance: float) -> Watch:
        """The watch after one more epoch; less than `tolerance` of gain is no progress."""
        return Watch(loss) if loss < self.loss - tolerance else Watch(self.loss, self.stale + 1)


def watches_loss(stop: StopSpec) -> bool:
    """Whether the loss can end training; then the best epoch's parameters are kept."""
    return stop.patience is not None or stop.tolerance is not None


def stop_reason(stop: StopSpec, watch: Watch, elapsed: float) -> StopReason | None:
    """Why training should stop now, or None to go on.

    `patience` is the number of epochs without progress that are borne, 1 where only `tolerance` is given.
    """
    if watches_loss(stop) and watch.stale >= (stop.patience or 1):
        return "no progress"
    if stop.time_limit is not None and elapsed >= stop.time_limit:
        return "time limit"
    return None
