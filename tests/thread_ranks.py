"""Ranks without MPI: threads of one process, with as much of a communicator as is used of mpi4py's."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable


class ThreadComm:
    """The communicator of one thread. What it receives is overwritten before, as MPI may do."""

    def __init__(self, rank: int, board: list[Any], barrier: threading.Barrier) -> None:
        self.rank, self.board, self.barrier = rank, board, barrier

    def Get_rank(self) -> int:
        return self.rank

    def Get_size(self) -> int:
        return len(self.board)

    def Allgather(self, sent: Any, taken: Any) -> None:
        taken.reshape(-1).view(np.uint8)[:] = 0xFF
        self.exchange(sent)
        taken.reshape(self.Get_size(), -1)[:] = [np.ravel(there) for there in self.board]
        self.barrier.wait(60)

    def Alltoall(self, sent: Any, taken: Any) -> None:
        taken.reshape(-1).view(np.uint8)[:] = 0xFF
        self.exchange(sent)
        parts = (np.reshape(there, (self.Get_size(), -1))[self.rank] for there in self.board)
        taken.reshape(self.Get_size(), -1)[:] = [*parts]
        self.barrier.wait(60)

    def bcast(self, given: Any, root: int = 0) -> Any:
        self.exchange(given)
        found = self.board[root]
        self.barrier.wait(60)
        return found

    def exchange(self, given: Any) -> None:
        self.board[self.rank] = given
        self.barrier.wait(60)


def on_ranks(ranks: int, work: Callable[[ThreadComm], Any]) -> list[Any]:
    """What each rank makes of `work`; the first error where one fails."""
    board, barrier = [None] * ranks, threading.Barrier(ranks)

    def run(rank: int) -> Any:
        try:
            return work(ThreadComm(rank, board, barrier))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(ranks) as pool:
        running = [pool.submit(run, rank) for rank in range(ranks)]
        errors = [found for found in (r.exception() for r in running) if found is not None]
    own = [error for error in errors if not isinstance(error, threading.BrokenBarrierError)]
    if own or errors:
        raise (own or errors)[0]
    return [r.result() for r in running]
