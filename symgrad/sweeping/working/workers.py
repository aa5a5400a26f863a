"""What a sweep needs of those who make its trials, on this machine or on others."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.sweeping.working.sweep_trial import TrialOrder, TrialOutcome

TRIES = 3
"""A trial is lost when so many processes that made it, and no other trial, have died."""


class EndedTrial(NamedTuple):
    """What came of an order, and how many processes began with it."""

    order: TrialOrder
    outcome: TrialOutcome
    attempts: int


class Workers(Protocol):
    """Processes that make trials at the same time."""

    @property
    def free(self) -> int:
        """How many more trials could begin now."""

    @property
    def at_work(self) -> bool:
        """Whether any trial has begun and has not ended."""

    def begin(self, order: TrialOrder) -> None:
        """Begin with a trial."""

    def ended(self) -> Sequence[EndedTrial]:
        """The trials that ended, once there are any or some time has passed."""

    def close(self) -> None:
        """End all that was begun."""
