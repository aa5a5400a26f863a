"""How long a call of a module may take: as long as its other calls let expect, and never beyond a limit.

A module that hangs tells nothing by being waited for. What it has done already says how fast this machine and
this module are: loading it before anything else, then every call, compilation included.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ORDINARY = 120.0
"""Seconds of computing that a call may take where nobody asks for another limit."""

_FIRST, _AGAIN = 20.0, 100.0
"""What is called for the first time, and may be compiled, has so many times the longest time of anything so
far; what has answered before, so many times its own longest."""

_LEAST_AT_FIRST, _LEAST = 20.0, 5.0
"""Seconds that no limit is below, where so many are allowed at all."""


@dataclass
class Pace:
    """The longest time of anything so far, and of each call that the running process has answered."""

    longest: float = 0.0
    answered: dict[object, float] = field(default_factory=dict)

    def limit(self, call: object, most: float) -> float:
        """Seconds that a call may take, of `most`, by which all limits are set."""
        if call in self.answered:
            least, expected = _LEAST, _AGAIN * self.answered[call]
        else:
            least, expected = _LEAST_AT_FIRST, _FIRST * self.longest
        return round(min(most, max(least, expected * most / ORDINARY)), 1)

    def started(self, seconds: float) -> None:
        """The process was loaded in this time: what it was asked before may be compiled anew."""
        self.longest = max(self.longest, seconds)
        self.answered.clear()

    def took(self, call: object, seconds: float) -> None:
        """A call was answered after so many seconds."""
        self.longest = max(self.longest, seconds)
        self.answered[call] = max(self.answered.get(call, 0.0), seconds)
