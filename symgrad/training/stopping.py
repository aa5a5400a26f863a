"""When training ends before its last epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.spec.model import StopSpec
    from symgrad.training.history import EpochRecord

StopReason: TypeAlias = Literal["epochs", "patience", "tolerance", "time limit", "interrupted", "diverged"]


def stop_reason(
    stop: StopSpec, records: Sequence[EpochRecord], best_epoch: int, elapsed: float
) -> StopReason | None:
    """Why training should stop after the last of `records`, or None to go on."""
    epochs_without_gain = records[-1].epoch - best_epoch
    if stop.patience is not None and epochs_without_gain >= max(stop.patience, 1):
        return "patience"
    if stop.tolerance is not None and len(records) > 1 and _change(records) <= stop.tolerance:
        return "tolerance"
    if stop.time_limit is not None and elapsed >= stop.time_limit:
        return "time limit"
    return None


def _change(records: Sequence[EpochRecord]) -> float:
    """The relative change of the training loss in the last epoch."""
    before, after = records[-2].loss, records[-1].loss
    return abs(after - before) / abs(before) if before else abs(after)
