"""The process of one peer, pinned to its cores: answers requests on stdin, a line of JSON each, on stdout.

It needs nothing but NumPy and the peer's library, so that it runs under the interpreter of another
environment. A request is {"do": a name below, ...}; an answer that says {"missing": why} is no failure.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time

CORES = json.loads(os.environ["BENCH_CORES"])
CLOCK = time.process_time if os.environ["BENCH_CLOCK"] == "cpu" else time.perf_counter
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, CORES)  # before any library counts the cores

from importlib import metadata  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

from benchmarks.machine import loaded_blas  # noqa: E402
from benchmarks.peers import PEERS, NotApplicable, Training  # noqa: E402
from benchmarks.problems import Problem  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.problems import Array

TRIALS = 2  # epochs by which the variants of a peer are compared, where it has some
CALM, LONGEST_WAIT = 0.002, 0.5


class Worker:
    """A peer and the problem it works on."""

    def __init__(self, name: str) -> None:
        self.peer = next(peer for peer in PEERS if peer.name == name)
        self.training: Training | None = None
        self.orders: Iterator[Array] = iter(())

    def about(self) -> dict[str, Any]:
        """Whether the library is there, and the versions of what it needs."""
        versions = {"python": sys.version.split()[0]}
        for name in self.peer.needs:
            try:
                versions[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                return {"missing": f"{name} is not installed"}
        return {"versions": versions}

    def imports(self) -> dict[str, Any]:
        """The seconds it takes to import the library, and the memory it takes."""
        start = time.perf_counter()
        self.peer.import_libraries()
        return {"seconds": time.perf_counter() - start, "memory": memory("VmRSS")}

    def first(self, problem: dict[str, Any]) -> dict[str, Any]:
        """The seconds from the problem to the end of its first step, the way the peer lists first."""
        start = time.perf_counter()
        chosen = _problem(problem)
        self.training = self.peer.load(chosen)[0](chosen)
        self.orders = chosen.orders()
        loss = self.training.epoch(next(self.orders)[: chosen.batch])
        return {"seconds": time.perf_counter() - start, "loss": loss}

    def prepare(self, problem: dict[str, Any]) -> dict[str, Any]:
        """Set a problem up, warm up, and take the fastest way the peer has; it starts anew."""
        chosen = _problem(problem)
        if chosen.is_compared_at_first and not self.peer.networks:
            raise NotApplicable("it is written here for the training of dense layers alone")
        self.training, fastest, way, loss = None, float("inf"), "", 0.0
        reason: NotApplicable | None = None
        variants = self.peer.variants_for(chosen)
        for name, variant in zip(variants, self.peer.load(chosen), strict=True):
            try:
                training, self.orders = variant(chosen), chosen.orders()
            except NotApplicable as found:
                reason = found
                continue
            begun = training.epoch(next(self.orders))
            count = TRIALS if len(variants) > 1 else 1
            trials = [_timed(training, next(self.orders))[0] for _ in range(count)]
            if min(trials) < fastest:
                self.training, fastest, way, loss = training, min(trials), name, begun
            del training
            gc.collect()
        if self.training is None:
            assert reason is not None
            raise reason
        self.training.restart()
        self.orders = chosen.orders()
        settle()
        return {"variant": way, "seconds": fastest, "loss": loss}

    def turn(self, epochs: int) -> dict[str, Any]:
        """The seconds of the next epochs, and their losses."""
        assert self.training is not None
        found = [_timed(self.training, next(self.orders)) for _ in range(epochs)]
        settle()
        return {"seconds": [seconds for seconds, _ in found], "losses": [loss for _, loss in found]}

    def memory(self) -> dict[str, Any]:
        """The most memory that this process ever took, in bytes."""
        return {"peak": memory("VmHWM")}

    def libraries(self) -> dict[str, Any]:
        """The BLAS libraries that are loaded now."""
        return {"libraries": loaded_blas()}


def _problem(fields: dict[str, Any]) -> Problem:
    return Problem(**{**fields, "sizes": tuple(fields["sizes"])})


def _timed(training: Training, order: Array) -> tuple[float, float]:
    start = CLOCK()
    loss = training.epoch(order)
    return CLOCK() - start, loss


def settle() -> None:
    """Wait until threads that spin after their work have gone to sleep: they would disturb the next peer."""
    end = time.perf_counter() + LONGEST_WAIT
    while len(CORES) > 1 and time.perf_counter() < end:
        before = time.process_time()
        time.sleep(CALM)
        if time.process_time() - before < CALM / 4:
            return


def memory(field: str) -> int | None:
    """VmRSS, what the process takes now, or VmHWM, the most it ever took, in bytes; none outside Linux."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except (NotApplicable, ImportError) as reason:
            answer = {"missing": str(reason)}
        except Exception as error:  # noqa: BLE001  # whatever a library raises belongs into the table
            first_line = next(iter(str(error).splitlines()), "")
            answer = {"missing": f"{type(error).__name__}: {first_line}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
