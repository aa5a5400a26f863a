"""A communicator of mpi4py whose ranks sleep where they wait, so that others may use the processor.

MPI itself looks for messages without a pause. On two cores that other processes used too, steps of two ranks
took so, with batches of 512, a third of the processor's time and a third to half of the time, of a network
784-256-10; of 784-1000-1000-10 three quarters of both. What is long goes without a pause once all have come:
where a system lets no process read another's memory, it goes in small pieces, and each nap between two holds
up both ranks (3.6 MB: 0.8 ms without, 12 to 50 with naps).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from symgrad.ranks.sent_behind import sent_behind

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.ranks.sent_behind import SentBehind

AWAKE = 100e-6
"""Seconds for which a rank looks without a pause."""
SHORTEST, LONGEST, SHARE = 50e-6, 10e-3, 0.05
"""A nap in seconds, and how long one is of what was waited."""


def _nothing() -> None:
    """There is no more to do."""


@dataclass(frozen=True)
class _AtTheEnd:
    """An exchange that is made when somebody waits for it."""

    Wait: Callable[[], Any]


class PatientComm:
    """As much of a communicator as trainings use."""

    def __init__(self, comm: Any) -> None:
        self.comm = comm
        self._begun: list[tuple[Any, Any]] = []

    def Get_rank(self) -> int:
        """The number of this rank."""
        return int(self.comm.Get_rank())

    def Get_size(self) -> int:
        """How many there are."""
        return int(self.comm.Get_size())

    def Allgather(self, sent: Any, taken: Any) -> None:
        """Arrays of all ranks, on each."""
        self.meet(self.comm.Iallgather(sent, taken))

    def Alltoallv(self, sent: Any, taken: Any) -> None:
        """Of each rank's vector every other one's part: vectors, with how many numbers and from where."""
        self.Ialltoallv(sent, taken).Wait()

    def Ialltoallv(self, sent: Any, taken: Any) -> Any:
        """Begin the same: between machines it goes on while this rank computes; `Wait` comes to its end.

        On one machine it is made then, with all that was begun: who copies memory there does not compute
        meanwhile.
        """
        if self._between_machines is not None:
            return self._between_machines.begin(sent, taken, self.meet)
        self._begun.append((sent, taken))
        return _AtTheEnd(self._end_all)

    def _end_all(self) -> None:
        """Make all exchanges that were begun."""
        begun, self._begun = self._begun, []
        if begun:
            self.meet(self.comm.Ibarrier(), lambda: [self.comm.Alltoallv(*each) for each in begun])

    @cached_property
    def _between_machines(self) -> SentBehind | None:
        """What looks after exchanges between machines, where there are several."""
        return sent_behind(self.comm) if len({*self.allgather(self.machine())}) > 1 else None

    def Barrier(self) -> None:
        """Come to where all have come, of whom one may have much to do before."""
        self.meet(self.comm.Ibarrier(), is_long=True)

    def bcast(self, given: Any) -> Any:
        """What the first rank gives, on all."""
        return self.meet(self.comm.Ibarrier(), lambda: self.comm.bcast(given))

    def allgather(self, given: Any) -> Any:
        """What each rank gives, on all."""
        return self.meet(self.comm.Ibarrier(), lambda: self.comm.allgather(given))

    def machine(self) -> int:
        """The first of the ranks on this one's machine, the same number on all of them."""
        return int(self.meet(self.comm.Ibarrier(), self._first_here))

    def _first_here(self) -> int:
        from mpi4py import MPI

        here = self.comm.Split_type(MPI.COMM_TYPE_SHARED)
        found: int = here.bcast(self.comm.Get_rank())
        here.Free()
        return found

    def meet(self, request: Any, then: Callable[[], Any] = _nothing, *, is_long: bool = False) -> Any:
        """Wait for what was begun, which may take long, then do what all do at once."""
        del is_long  # who watches wants to know
        start = time.perf_counter()
        while not request.Test():
            waited = time.perf_counter() - start
            if waited > AWAKE:
                time.sleep(min(max(SHARE * waited, SHORTEST), LONGEST))
        return then()
