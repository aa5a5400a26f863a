"""A call watched from outside: a module is told apart from the machine that it runs on.

It may compute for so many seconds of its own, whatever else runs, and wait for as many; where it asks for a
core and is given none, that is no time of its own, and says nothing about it, however long it lasts.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from symgrad.isolation.looks import Look, look

if TYPE_CHECKING:
    from symgrad.isolation.launching import Running

BUSY = 100.0
"""A process that is given less than one in so many of the seconds that it asks for is not judged."""

_UNSEEN = 5.0
"""Where a system shows nothing of a process, it is ended after so many times its limit, unjudged."""

_EVERY = 0.5
"""Seconds from look to look. What lies between two is never counted as more than twice that: this process may
have been stopped itself."""

_LATE = 1.0
"""Seconds by which the process may exceed the limit of computing that it keeps by itself."""


class CallEnd(Enum):
    """Why a call had to be ended. Of the last two its module is not to blame."""

    COMPUTED = "did not return within {limit:g} s of computing; --time-limit gives it more"
    WAITED = "did not return: it waited for {limit:g} s; --time-limit gives it more"
    STOPPED = "did not return: its process was stopped for {limit:g} s"
    STARVED = "was given {computed:.1f} s of computing in {passed:.0f} s: the machine is too busy to judge it"
    UNSEEN = "did not return within {passed:.0f} s, and this system does not show whether it computed"

    @property
    def is_fault(self) -> bool:
        """Whether it is the module's fault."""
        return self in (CallEnd.COMPUTED, CallEnd.WAITED, CallEnd.STOPPED)


@dataclass(frozen=True)
class Tally:
    """The seconds of a call so far, by what its process was about when it was looked at."""

    limit: float
    passed: float = 0.0
    computed: float = 0.0
    waited: float = 0.0
    unseen: float = 0.0
    last: Look | None = None

    def after(self, seconds: float, seen: Look | None) -> Tally:
        """The tally so many seconds later."""
        now = replace(self, passed=self.passed + seconds, last=seen)
        if seen is None:
            return replace(now, unseen=self.unseen + seconds)
        if self.last is not None and self.last.pid == seen.pid:
            now = replace(now, computed=self.computed + max(0.0, seen.computed - self.last.computed))
        return now if seen.about == "computing" else replace(now, waited=self.waited + seconds)

    @property
    def ending(self) -> CallEnd | None:
        """Why the call is to be ended now, if it is."""
        if self.computed > self.limit + _LATE:
            return CallEnd.COMPUTED
        if self.waited > self.limit:
            stopped = self.last is not None and self.last.about == "stopped"
            return CallEnd.STOPPED if stopped else CallEnd.WAITED
        if self.unseen > _UNSEEN * self.limit:
            return CallEnd.UNSEEN
        return CallEnd.STARVED if self.passed > BUSY * self.limit else None

    def told(self, ending: CallEnd) -> str:
        """The ending in words, for which it does not matter who saw it first."""
        return ending.value.format(limit=self.limit, computed=self.computed, passed=self.passed)


class CallWatch(threading.Thread):
    """Looks at a process while a call lasts, and kills it when it has to be ended."""

    def __init__(self, process: Running, limit: float) -> None:
        super().__init__(daemon=True)
        self.tally, self.ending = Tally(limit), None
        self._process, self._began = process, time.monotonic()
        self._over, self._lock = threading.Event(), threading.Lock()

    ending: CallEnd | None

    def run(self) -> None:
        before = self._began
        while not self._over.wait(_EVERY):
            now = time.monotonic()
            self.tally = self.tally.after(min(now - before, 2 * _EVERY), look(self._process.pid))
            before, ending = now, self.tally.ending
            with self._lock:
                if ending is not None and not self._over.is_set():
                    self.ending = ending
                    self._process.kill()
                    return

    def end(self) -> None:
        """The call is over: its process is not killed from now on."""
        with self._lock:
            self._over.set()

    @property
    def spent(self) -> float:
        """Seconds of its own that the call has lasted, at most."""
        own = self.tally.computed + self.tally.waited + self.tally.unseen + 2 * _EVERY
        return min(time.monotonic() - self._began, own)
