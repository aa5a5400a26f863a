"""Long vectors on their way between machines while their ranks compute.

A thread looks after them, as MPI moves most of what is long only while somebody looks. They go in pieces: MPI
puts a long message into the connection at once, and what is to go the other way waits for word that comes
behind it. Of 3.6 MB both ways at 1 Gb/s that made 45 to 56 ms of 30.
"""

from __future__ import annotations

import time
from collections import deque
from functools import cache, partial
from itertools import zip_longest
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

PIECE = 1 << 18
"""Bytes of a piece."""
AT_ONCE = 8
"""So many pieces are on their way from a rank at most, and to it."""
NAP = 100e-6
"""Seconds between two looks."""
LONG = 1.0
"""Seconds after which who waits looks up."""


@cache
def _key() -> int:
    """Under which a communicator of mpi4py keeps what looks after it."""
    from mpi4py import MPI

    return MPI.Comm.Create_keyval(delete_fn=lambda _, __, found: found.end())


def sent_behind(comm: Any) -> SentBehind:
    """What looks after exchanges between its ranks, the same for all trainings; all of them ask at once.

    Where MPI does not let several threads call it, they are made when somebody waits for them.
    """
    from mpi4py import MPI

    found: SentBehind | None = comm.Get_attr(_key())
    if found is None:
        found = SentBehind(comm.Dup(), has_thread=MPI.Query_thread() == MPI.THREAD_MULTIPLE)
        comm.Set_attr(_key(), found)
    return found


class SentBehind:
    """What goes between the ranks of a communicator of its own, one exchange after another."""

    def __init__(self, comm: Any, *, has_thread: bool) -> None:
        self.comm, self.has_thread = comm, has_thread
        self.begun = SimpleQueue[OnTheWay | None]()
        if has_thread:
            Thread(target=self._look_after, daemon=True, name="what ranks send").start()

    def begin(self, sent: Any, taken: Any, wait: Callable[[OnTheWay], Any]) -> OnTheWay:
        """Begin an exchange as of `Alltoallv`; `wait` waits for it, as for a request of MPI."""
        found = OnTheWay(partial(_exchange, self.comm, sent, taken), wait, is_looked_after=self.has_thread)
        if self.has_thread:
            self.begun.put(found)
        return found

    def end(self) -> None:
        """Nothing will be begun any more."""
        self.begun.put(None)

    def _look_after(self) -> None:
        while (begun := self.begun.get()) is not None:
            begun.run()


class OnTheWay:
    """An exchange that was begun; where nobody looks after it, it is made when somebody asks for it."""

    def __init__(
        self, exchange: Callable[[], None], wait: Callable[[OnTheWay], Any], *, is_looked_after: bool
    ) -> None:
        self.exchange, self.wait, self.is_looked_after = exchange, wait, is_looked_after
        self.done = Event()
        self.error: Exception | None = None

    def run(self) -> None:
        """Come to its end."""
        try:
            self.exchange()
        except Exception as error:  # noqa: BLE001  # who waits is told
            self.error = error
        self.done.set()

    def Test(self) -> bool:
        """Whether it is at its end, or comes there soon."""
        if not self.is_looked_after:
            self.run()
        return self.done.wait(LONG)

    def Wait(self) -> None:
        """Wait for its end. Raises what it raised."""
        self.wait(self)
        if self.error is not None:
            raise self.error


def _exchange(comm: Any, sent: Any, taken: Any) -> None:
    under_way: deque[list[Any]] = deque()
    for requests in _begun(comm, sent, taken):
        under_way.append(requests)
        if len(under_way) > AT_ONCE:
            _finish(under_way.popleft())
    for requests in under_way:
        _finish(requests)


def _begun(comm: Any, sent: Any, taken: Any) -> Iterator[list[Any]]:
    """Requests, piece by piece: with each other rank in turn, so that all send to one and take from one."""
    rank, ranks = comm.Get_rank(), comm.Get_size()
    for distance in range(1, ranks):
        goal, source = (rank + distance) % ranks, (rank - distance) % ranks
        for out, into in zip_longest(_pieces(sent, goal), _pieces(taken, source)):
            begun = [] if into is None else [comm.Irecv(into, source)]
            yield begun if out is None else [*begun, comm.Isend(out, goal)]


def _pieces(message: Any, rank: int) -> Iterator[NDArray[Any]]:
    """What of a message is one rank's."""
    vector, (counts, places) = message
    part = vector[places[rank] : places[rank] + counts[rank]]
    size = max(PIECE // part.itemsize, 1)
    return (part[start : start + size] for start in range(0, len(part), size))


def _finish(requests: list[Any]) -> None:
    for request in requests:
        while not request.Test():
            time.sleep(NAP)
