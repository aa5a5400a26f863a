"""How fast epochs go by, and how long the rest will take."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LATEST = 20
"""The pace is that of so many epochs, of which the first, which may compile, is none."""
SOON = 10.0
"""Seconds that nobody need be told of in a log."""


class EpochPace:
    """The pace of the latest epochs of a training of so many."""

    def __init__(self, epochs: int, clock: Callable[[], float] = monotonic) -> None:
        self.epochs, self.clock = epochs, clock
        self.ended: deque[tuple[int, float]] = deque(maxlen=_LATEST + 1)

    def note(self, epoch: int) -> None:
        """An epoch has ended."""
        self.ended.append((epoch, self.clock()))

    @property
    def per_second(self) -> float | None:
        """Epochs per second; None until two have ended."""
        if len(self.ended) < 2:
            return None
        (first, start), (last, now) = self.ended[0], self.ended[-1]
        return (last - first) / (now - start) if now > start else None

    @property
    def seconds_left(self) -> float | None:
        """Until the last epoch planned, if nothing stops training before."""
        rate = self.per_second
        return None if rate is None else (self.epochs - self.ended[-1][0]) / rate

    def __str__(self) -> str:
        """`12 epochs/s, 0:42 left`; nothing where it is not known yet."""
        rate, left = self.per_second, self.seconds_left
        if rate is None or left is None:
            return ""
        fast = f"{_short(rate)} epochs/s" if rate >= 1 else f"{_short(1 / rate)} s/epoch"
        return f"{fast}, {_clock(left)} left"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
