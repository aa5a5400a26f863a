"""Workers of a scheduler of dask's, on this machine or others, which were started before.

Where one dies, the scheduler gives all trials that it had to others, as often as its `allowed-failures`
says. One that it gives up may only have stood beside another that kills workers. So it is made once more when
no other is under way; given up then, it is lost.
"""

from __future__ import annotations

import socket
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from symgrad.compiler.loading.sources import sources_digest
from symgrad.errors import DataError, ModuleError, how_to_install
from symgrad.sweeping.working.sweep_trial import TrialOutcome, run_trial
from symgrad.sweeping.working.workers import EndedTrial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.sweeping.working.sweep_trial import TrialOrder

CONNECT, LOOK = 10.0, 2.0
"""Seconds to wait for a scheduler, and seconds after which is looked whether it and workers are there."""
PATIENCE = 120.0
"""Seconds without any worker after which a sweep ends."""

_LOST = "its worker died whenever it made this trial: killed, or out of memory"


class DaskWorkers:
    """All workers of a scheduler, a trial for each of their threads."""

    def __init__(self, address: str) -> None:
        self.address = address
        try:
            import distributed
        except ModuleNotFoundError:
            raise ModuleError("dask.distributed is missing", remedy=how_to_install("sweep")) from None
        self._dask: Any = distributed
        self._sweep = uuid4().hex[:8]
        self._under_way: dict[Any, TrialOrder] = {}
        self._suspects: deque[TrialOrder] = deque()
        self._attempts: Counter[int] = Counter()
        self._alone: set[int] = set()
        self._client: Any = self._connected()
        self._threads = self._counted()
        self._seen = time.monotonic()
        try:
            self._demand_workers()
        except BaseException:
            self._client.close()
            raise

    @property
    def free(self) -> int:
        """How many more trials could begin now: none while suspects are made one by one."""
        return 0 if self._suspects or self._alone else self._threads - len(self._under_way)

    @property
    def at_work(self) -> bool:
        """Whether any trial has begun and has not ended."""
        return bool(self._under_way or self._suspects)

    def begin(self, order: TrialOrder) -> None:
        """Begin with a trial."""
        key = f"symgrad-{self._sweep}-{order.number}-{uuid4().hex[:4]}"
        self._under_way[self._client.submit(run_trial, order, key=key, pure=False)] = order

    def ended(self) -> Sequence[EndedTrial]:
        """The trials that ended, once there are any or some seconds have passed.

        Raises:
            DataError: the scheduler is gone, or no worker was there for a long time.
        """
        done: Sequence[Any] = ()
        try:
            if self._under_way:
                with self._client.as_current():
                    found = self._dask.wait([*self._under_way], timeout=LOOK, return_when="FIRST_COMPLETED")
                done = [future for future in self._under_way if future in found.done]
            else:
                time.sleep(LOOK / 4)
        except (TimeoutError, self._dask.TimeoutError, self._dask.CancelledError):
            done = [future for future in self._under_way if future.done()]
        self._look()
        found = [self._ended(future, self._under_way.pop(future)) for future in done]
        if self._suspects and not self._under_way and self._threads:
            order = self._suspects.popleft()
            self._alone.add(order.number)
            self.begin(order)
        return [ended for ended in found if ended is not None]

    def close(self) -> None:
        """End what was begun; the workers stay."""
        if self._client.status == "running":
            self._client.cancel([*self._under_way], force=True)
        self._client.close()

    def _ended(self, future: Any, order: TrialOrder) -> EndedTrial | None:
        """What came of a trial; None where it is to be made alone."""
        number, error = order.number, None
        was_alone = number in self._alone
        self._alone.discard(number)
        if future.status == "finished":
            outcome = future.result()
        elif future.status == "cancelled":
            outcome = TrialOutcome("lost", reason="the scheduler dropped it")
        else:
            error = future.exception()
            outcome = TrialOutcome("failed", reason=f"{type(error).__name__}: {error}")
        is_killed = isinstance(error, self._dask.KilledWorker)
        self._attempts[number] += 1 + (getattr(error, "allowed_failures", 0) if is_killed else 0)
        if is_killed and not was_alone:
            self._suspects.append(order)
            return None
        if is_killed:
            outcome = TrialOutcome("lost", reason=_LOST)
        return EndedTrial(order, outcome, self._attempts[number])

    def _connected(self) -> Any:
        """A client, once something answers at the address: one that cannot connect writes a traceback."""
        try:
            place = self._dask.comm.get_address_host_port(self.address)
            socket.create_connection(place, CONNECT).close()
            return self._dask.Client(self.address, timeout=f"{CONNECT} s", set_as_default=False)
        except (OSError, OverflowError, ValueError, TypeError) as error:
            reason = str(error).partition("\n")[0]
            remedy = "start one: dask scheduler, dask worker"
            raise DataError(
                f"there is no scheduler of dask's ({reason})", at=self.address, remedy=remedy
            ) from None

    def _look(self) -> None:
        """See how many workers there are."""
        if self._client.status != "running":
            raise DataError(
                "the scheduler is gone", at=self.address, remedy="start it, and --resume the sweep"
            )
        self._threads = self._counted()
        if self._threads:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > PATIENCE:
            problem = f"no worker was there for {PATIENCE:g} seconds"
            raise DataError(problem, at=self.address, remedy="start some, and --resume the sweep")

    def _counted(self) -> int:
        try:
            return sum(self._client.nthreads().values())
        except (OSError, self._dask.TimeoutError):
            return 0

    def _demand_workers(self) -> None:
        """Workers that are there have this very symgrad."""
        if not self._threads:
            raise DataError("the scheduler has no workers", at=self.address, remedy="start some: dask worker")
        try:
            found = self._client.run(sources_digest)
        except Exception as error:  # noqa: BLE001  # whatever their Python lacks
            problem = f"its workers cannot load symgrad ({type(error).__name__}: {error})"
            raise ModuleError(problem, at=self.address, remedy="install it there") from None
        others = [worker for worker, digest in found.items() if digest != sources_digest()]
        if others:
            problem = f"another version of symgrad is at {others[0]}"
            raise ModuleError(problem, at=self.address, remedy="install the same there")
