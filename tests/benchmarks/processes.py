"""Workers as seen from outside: started with cores, threads and an interpreter, asked, and ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from benchmarks.peers import Peer

TESTS = Path(__file__).parent.parent
Beside: TypeAlias = Literal["nothing", "busy"]
"""What else runs on the cores of a race."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Place:
    """Where workers run: on which cores, under which interpreters by peer, and with which cache folder.

    Without a folder of its own a worker uses the user's caches. An epoch is timed by the wall's clock, or by
    the processor's: what the process, all its threads together, computed.
    """

    cores: tuple[int, ...]
    interpreters: Mapping[str, str] = field(default_factory=dict)
    cache: Path | None = None
    clock: Literal["wall", "cpu"] = "wall"

    def environment(self, extra: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
        """The variables of a process here."""
        count = str(len(self.cores))
        variables = {name: value for name, value in os.environ.items() if name != "SYMGRAD_BLAS"}
        variables |= dict.fromkeys(THREADS, count) | dict(extra)
        path = [str(TESTS), str(TESTS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        variables |= {
            "BENCH_CORES": json.dumps(self.cores),
            "BENCH_CLOCK": self.clock,
            "PYTHONPATH": os.pathsep.join(path),
        }
        if len(self.cores) == 1:
            variables["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        if self.cache is not None:
            variables |= _caches(self.cache)
        return variables


def _caches(folder: Path) -> dict[str, str]:
    """Every library's compiled code in one folder. JAX by itself keeps none: see `Peer.keeping`."""
    return {
        "XDG_CACHE_HOME": str(folder),
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "JAX_ENABLE_COMPILATION_CACHE": "false",
        "JAX_COMPILATION_CACHE_DIR": str(folder / "jax"),
        "PYTENSOR_FLAGS": f"base_compiledir={folder / 'pytensor'}",
    }


_BUSY = """
import json, os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, json.loads(sys.argv[1]))
while True:
    pass
"""


@contextmanager
def beside(what: Beside, cores: tuple[int, ...]) -> Iterator[None]:
    """Inside it a process computes all the time, on one of the cores at a time, where that is asked for."""
    command = [sys.executable, "-c", _BUSY, json.dumps(cores)]
    process = subprocess.Popen(command) if what == "busy" else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


class Process:
    """A running worker. It is a context: leaving it ends the process."""

    def __init__(self, peer: Peer, place: Place, *, keeping: bool = False) -> None:
        self.peer = peer
        interpreter = place.interpreters.get(peer.name, sys.executable)
        command = [interpreter, "-m", "benchmarks.worker", peer.name]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=place.environment(peer.environment) | dict(peer.keeping if keeping else ()),
        )

    def ask(self, do: str, **about: Any) -> dict[str, Any]:
        """The answer to a request; a worker that has died answers that it is missing."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps({"do": do, **about}) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            return {"missing": f"its process ended with {self._process.wait()}"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):  # it may have died with a request unread
                if stream is not None:
                    stream.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
