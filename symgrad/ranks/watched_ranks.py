"""A watch over ranks: where one does nothing while others wait for it, all are ended, and it is named."""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.ranks.mpi_world import check_in, is_abandoned
from symgrad.ranks.passing_names import PREFIX, hold, remove_left
from symgrad.ranks.patient_comm import PatientComm

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

RANK, PROCESS, MEETINGS, IS_WAITING, MET_AT, WORKED_AT, SEEN_AT, FIELDS = range(8)
PATIENTLY = 2
"""How a rank waits for what takes long, as to judge a module, which other processes may do for that rank."""
PATIENCE_WITH_WORK = 10
"""How many times as long as it may be idle a rank may compute, or keep others that wait patiently."""
WORKS = 0.05
"""The share of a processor that a rank uses which computes."""
STATUS = 1


class WatchedComm(PatientComm):
    """A communicator whose ranks note on a board in shared memory when they meet.

    A thread of each looks at it. `seconds` is how long ranks may wait for one that does nothing.
    """

    def __init__(self, comm: Any, seconds: float) -> None:
        from mpi4py import MPI

        super().__init__(comm)
        self.seconds = seconds
        node = comm.Split_type(MPI.COMM_TYPE_SHARED)
        self.board: NDArray[np.float64] = _board(node)
        self.own = self.board[node.Get_rank()]
        now = time.monotonic()
        self.own[:] = comm.Get_rank(), os.getpid(), 0, 0, now, now, now
        node.Barrier()
        check_in(comm.Get_rank())
        threading.Thread(target=self._watch, daemon=True, name="watch over ranks").start()

    def meet(self, request: Any, *then: Callable[[], Any], is_long: bool = False) -> Any:
        """Wait for what was begun, which may take long, then do what all do at once."""
        self.own[MEETINGS] += 1
        self.own[MET_AT] = time.monotonic()
        self.own[IS_WAITING] = PATIENTLY if is_long else 1
        found = super().meet(request, *then, is_long=is_long)
        self.own[MET_AT] = time.monotonic()
        self.own[IS_WAITING] = 0
        return found

    def _watch(self) -> None:
        """Note that this rank computes; end it where others do not come."""
        pause = min(1.0, self.seconds / 10)
        used, seen = time.process_time(), time.monotonic()
        while True:
            time.sleep(pause)
            now = time.monotonic()
            if now - seen > self.seconds / 2:  # this process was stopped itself, and others may have been
                self.own[MET_AT] = now
            if time.process_time() - used > WORKS * (now - seen):
                self.own[WORKED_AT] = now
            used, seen, self.own[SEEN_AT] = time.process_time(), now, now
            if is_abandoned():
                os._exit(STATUS)
            said = missing(self.board, int(self.own[RANK]), now, self.seconds)
            if said:
                sys.stderr.write(f"error: {said}; --rank-timeout says how long they may wait\n")
                sys.stderr.flush()
                os._exit(STATUS)


def _board(node: Any) -> NDArray[np.float64]:
    """Memory that the ranks of one machine share, a row for each: a file that has no name any more."""
    size = 8 * FIELDS * node.Get_size()
    is_first, handle, name = node.Get_rank() == 0, -1, ""
    if is_first:
        remove_left()
        handle, name = tempfile.mkstemp(prefix=PREFIX)
        hold(handle)
        os.truncate(handle, size)
    name = node.bcast(name)
    with open(name, "r+b") as shared:
        memory = mmap.mmap(shared.fileno(), size)
    node.Barrier()
    if is_first:
        os.unlink(name)
        os.close(handle)
    return np.frombuffer(memory, np.float64).reshape(-1, FIELDS)


def missing(board: NDArray[np.float64], rank: int, now: float, seconds: float) -> str:
    """Which ranks the others wait for in vain, in words, where this is the one to say it; else nothing."""
    (own,) = board[board[:, RANK] == rank]
    if not own[IS_WAITING] or now - own[MET_AT] <= seconds:
        return ""
    is_behind = board[:, MEETINGS] < own[MEETINGS]
    is_idle = now - np.maximum(board[:, MET_AT], board[:, WORKED_AT]) > seconds
    is_late = now - board[:, MET_AT] > PATIENCE_WITH_WORK * seconds
    is_stopped = now - board[:, SEEN_AT] > seconds
    if own[IS_WAITING] == PATIENTLY:
        is_idle[:] = False
    is_gone = (is_behind & (is_idle | is_late)) | is_stopped
    gone, waiting = board[is_gone], board[~is_gone & ~is_behind]
    if len(gone):
        if rank != waiting[:, RANK].min():
            return ""
        names = ", ".join(f"rank {int(r[RANK])} (process {int(r[PROCESS])})" for r in gone)
        since = min(now - gone[:, MET_AT])
        return f"{names} made no step for {since:.0f} s, while rank {rank} waits"
    if not is_behind.any() and now - own[MET_AT] > PATIENCE_WITH_WORK * seconds:
        return f"rank {rank} waited {now - own[MET_AT]:.0f} s for ranks on other machines"
    return ""
