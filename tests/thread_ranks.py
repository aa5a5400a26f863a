"""Ranks without MPI: threads of one process, whose errors are raised."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.ranks.group_of_ranks import RankGroup
from symgrad.verifier.behaviour.training.shared import ThreadRank

if TYPE_CHECKING:
    from collections.abc import Callable


def on_ranks(ranks: int, work: Callable[[ThreadRank], Any]) -> list[Any]:
    """What each rank makes of `work`; the first error where one fails."""
    board, barrier = [np.empty(0)] * ranks, threading.Barrier(ranks)

    def run(rank: int) -> Any:
        try:
            with np.errstate(all="ignore"):  # each thread has its own; compiled code warns of nothing
                return work(ThreadRank(rank, board, barrier))
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


class TalkingRank(ThreadRank):
    """As much of a communicator as trainings use before their epochs; two ranks are on a machine."""

    def machine(self) -> int:
        return self.rank - self.rank % 2

    def Barrier(self) -> None:
        self.barrier.wait(60)

    def allgather(self, given: Any) -> list[Any]:
        found = [pickle.loads(sent) for sent in self._met(pickle.dumps(given))]
        self.Barrier()
        return found


def on_groups(ranks: int, work: Callable[[RankGroup], Any]) -> list[Any]:
    """What each makes of `work`, which is given these ranks."""
    return on_ranks(ranks, lambda rank: work(RankGroup(TalkingRank(rank.rank, rank.board, rank.barrier))))
