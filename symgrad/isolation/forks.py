"""The process that others are forks of: it loads what all of them need, once, and tells how each ended.

It starts no thread and compiles nothing before they are forked. It alone kills them, as it alone knows that
their numbers are still theirs; where whoever started it is gone, it ends them all.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time

from symgrad.isolation import worker


def main(told: str) -> None:
    """Fork a process for each of the words told: what it needs, and its ends of two pipes."""
    each = [(need, int(read), int(write)) for need, read, write in (w.split(",") for w in told.split())]
    if any(need == "numba" for need, *_ in each):
        worker.NEEDS["numba"]()
    gc.freeze()  # what is shared is not looked at, and so not copied
    computed = time.process_time()
    children = []
    for need, read, write in each:
        pid = os.fork()
        if pid == 0:
            os.dup2(read, 0)
            os.dup2(write, 1)
            os.closerange(3, 1 + max(max(ends) for _, *ends in each))
            worker.main(need, computed)
            return
        children.append(pid)
    for _, *ends in each:
        for end in ends:
            os.close(end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _serve(children)


def _serve(children: list[int]) -> None:
    """Tell their numbers on stdout, and with which code each ended; kill those whose places stdin names."""
    os.write(1, f"{' '.join(map(str, children))}\n".encode())
    alive, lock = set(children), threading.Lock()

    def await_end(place: int, pid: int) -> None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with lock:  # from here on its number may become another's
            alive.discard(pid)
            _, status = os.waitpid(pid, 0)
        os.write(1, f"{place} {os.waitstatus_to_exitcode(status)}\n".encode())

    def kill(pids: list[int]) -> None:
        with lock:
            for pid in alive.intersection(pids):
                os.kill(pid, signal.SIGKILL)

    for place, pid in enumerate(children):
        threading.Thread(target=await_end, args=(place, pid), daemon=True).start()
    for line in sys.stdin.buffer:
        kill([children[int(line)]])
    kill(children)
