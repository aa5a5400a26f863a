"""Processes that answer on their stdout what they are asked on their stdin: each alone, or forks of one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Protocol

from symgrad.long_lived import THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Products of matrices are told to use one: processes side by side would wait for each other's threads."""

_START = (
    f"import gc, sys; gc.set_threshold{THRESHOLDS}; sys.path[:] = sys.argv[2:]; "
    "from symgrad.isolation.{} import main; main(sys.argv[1])"
)
_FORKS = sys.platform == "linux"
"""Whether a process that has loaded libraries may be forked: macOS's do not outlive it, Windows cannot."""


class Running(Protocol):
    """A process and the two ends of its pipes that are ours, as `subprocess.Popen` holds them."""

    @property
    def pid(self) -> int: ...

    @property
    def stdin(self) -> IO[bytes] | None: ...

    @property
    def stdout(self) -> IO[bytes] | None: ...

    def kill(self) -> None: ...

    def wait(self) -> int:
        """Its exit code, or the signal that ended it, negative."""
        ...


def launched(needs: str) -> Running:
    """A new process, which loads what it `needs`, a word of `worker.NEEDS`, before it is asked."""
    return _python(_START.format("worker"), needs)


def _python(program: str, argument: str, descriptors: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # this interpreter, with the path it has here
        [sys.executable, "-c", program, argument, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **dict.fromkeys(_THREADS, "1")},
        pass_fds=descriptors,
    )


@contextmanager
def launched_together(needs: Sequence[str]) -> Iterator[list[Running]]:
    """New processes that end with the block; where they can be forks of one, libraries are loaded once."""
    forks = _Forks(needs) if _FORKS else None
    processes: list[Running] = [*forks.processes] if forks else [launched(need) for need in needs]
    try:
        yield processes
    finally:
        for process in processes:
            ended(process)
        if forks:
            forks.end()


def ended(process: Running) -> None:
    """End a process, whatever it is doing."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()


class _Forks:
    """Processes that are forks of one, which waits for them, tells how each ended, and ends all with ours."""

    def __init__(self, needs: Sequence[str]) -> None:
        requests, answers = ([os.pipe() for _ in needs] for _ in range(2))
        theirs = [(read, write) for (read, _), (_, write) in zip(requests, answers, strict=True)]
        told = " ".join(f"{need},{r},{w}" for need, (r, w) in zip(needs, theirs, strict=True))
        self._parent = _python(_START.format("forks"), told, [end for ends in theirs for end in ends])
        for end in (end for ends in theirs for end in ends):
            os.close(end)
        self.pids = [self._parent.pid for _ in needs]  # until they are forked
        self.codes: list[Future[int]] = [Future() for _ in needs]
        self._lock = threading.Lock()
        self.processes = [
            _Fork(self, number, os.fdopen(write, "wb"), os.fdopen(read, "rb"))
            for number, ((_, write), (read, _)) in enumerate(zip(requests, answers, strict=True))
        ]
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self) -> None:
        """Note their numbers, then how each ended; where their parent is gone, nobody knows."""
        with suppress(OSError, ValueError, StopIteration):
            lines = iter(self._parent.stdout or ())
            self.pids = [int(pid) for pid in next(lines).split()]
            for line in lines:
                number, code = map(int, line.split())
                self.codes[number].set_result(code)
        for found in self.codes:
            if not found.done():
                found.set_result(-signal.SIGKILL)

    def kill(self, number: int) -> None:
        with self._lock, suppress(OSError, ValueError):
            if self._parent.stdin is not None and not self.codes[number].done():
                self._parent.stdin.write(f"{number}\n".encode())
                self._parent.stdin.flush()

    def end(self) -> None:
        """End the parent, which has no children any longer."""
        with self._lock:
            ended(self._parent)


class _Fork:
    """One of them."""

    def __init__(self, forks: _Forks, number: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.stdin, self.stdout, self._forks, self._number = stdin, stdout, forks, number

    @property
    def pid(self) -> int:
        return self._forks.pids[self._number]

    def kill(self) -> None:
        self._forks.kill(self._number)

    def wait(self) -> int:
        return self._forks.codes[self._number].result()
