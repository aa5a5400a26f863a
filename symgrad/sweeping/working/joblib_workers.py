"""Worker processes on this machine, by joblib.

Where one dies, joblib's pool is broken, and nobody knows which trial it was that killed it. So those that
were under way are made once more one by one: the others end, and one that kills its process alone some times
is lost.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from symgrad.errors import ModuleError, how_to_install
from symgrad.sweeping.working.sweep_trial import TrialOutcome, run_trial
from symgrad.sweeping.working.workers import TRIES, EndedTrial

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from symgrad.sweeping.working.sweep_trial import TrialOrder

_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM", "BLIS", "NUMEXPR")
_LOST = "the process that made it died {} times: killed, or out of memory"


class JoblibWorkers:
    """So many processes, each with so many threads for products."""

    def __init__(self, workers: int, threads: int) -> None:
        self.workers, self.threads = workers, threads
        self._pool = self._new_pool()
        self._under_way: dict[Future[TrialOutcome], TrialOrder] = {}
        self._suspects: deque[TrialOrder] = deque()
        self._attempts: Counter[int] = Counter()
        self._deaths: Counter[int] = Counter()
        """Of trials made alone."""

    @property
    def free(self) -> int:
        """How many more trials could begin now: none while the suspects are made one by one."""
        return 0 if self._suspects else self.workers - len(self._under_way)

    @property
    def at_work(self) -> bool:
        """Whether any trial has begun and has not ended."""
        return bool(self._under_way or self._suspects)

    def begin(self, order: TrialOrder) -> None:
        """Begin with a trial."""
        self._attempts[order.number] += 1
        with _interrupts_wait():
            try:
                self._under_way[self._pool.submit(run_trial, order)] = order
            except BrokenProcessPool:  # a process died while it had nothing to do
                self._pool = self._new_pool()
                self._under_way[self._pool.submit(run_trial, order)] = order

    def ended(self) -> Sequence[EndedTrial]:
        """The trials that ended, once there are any; none where a process died."""
        done, _ = wait(self._under_way, return_when=FIRST_COMPLETED)
        if any(isinstance(future.exception(), BrokenProcessPool) for future in done):
            done, _ = wait(self._under_way)  # all of them end with it
        is_alone = len(self._under_way) == 1
        found, broken = [], []
        for future in done:
            order = self._under_way.pop(future)
            if isinstance(future.exception(), BrokenProcessPool):
                broken.append(order)
            else:
                found.append(self._ended(order, future.result()))
        if broken:
            found += self._suspected(broken, is_alone=is_alone)
        if self._suspects and not self._under_way:
            self.begin(self._suspects.popleft())
        return found

    def close(self) -> None:
        """End all processes."""
        self._pool.shutdown(wait=True, kill_workers=True)

    def _suspected(self, orders: Sequence[TrialOrder], *, is_alone: bool) -> list[EndedTrial]:
        """Have the trials made again whose process may be the one that died; those that are lost."""
        self._pool.shutdown(wait=False, kill_workers=True)
        self._pool = self._new_pool()
        lost = []
        for order in sorted(orders, key=lambda order: order.number):
            self._deaths[order.number] += is_alone
            if self._deaths[order.number] < TRIES:
                self._suspects.append(order)
            else:
                lost.append(self._ended(order, TrialOutcome("lost", reason=_LOST.format(TRIES))))
        return lost

    def _ended(self, order: TrialOrder, outcome: TrialOutcome) -> EndedTrial:
        return EndedTrial(order, outcome, self._attempts[order.number])

    def _new_pool(self) -> Any:
        try:
            from joblib.externals.loky import ProcessPoolExecutor
        except ModuleNotFoundError:
            raise ModuleError("joblib is missing", remedy=how_to_install("sweep")) from None
        env = {f"{library}_NUM_THREADS": str(self.threads) for library in _THREADS}
        begun = (os.getpid(),)
        return ProcessPoolExecutor(self.workers, env=env, initializer=_begin_worker, initargs=begun)


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Processes that begin inside it know no interrupts from their first moment, before `_begin_worker`; one
    that comes meanwhile is this process's at the end."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _begin_worker(parent: int) -> None:
    """An interrupt is the parent's, who then ends this process; when the parent is killed, it ends too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "getppid") and os.name != "nt":
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
