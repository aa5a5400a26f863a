"""Ranks without MPI: threads of one process, whose errors are raised."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.behaviour.training.shared import ThreadRank

if TYPE_CHECKING:
    from collections.abc import Callable


def on_ranks(ranks: int, work: Callable[[ThreadRank], Any]) -> list[Any]:
    """What each rank makes of `work`; the first error where one fails."""
    board, barrier = [np.empty(0)] * ranks, threading.Barrier(ranks)

    def run(rank: int) -> Any:
        try:
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
