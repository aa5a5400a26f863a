"""How a process is looked at from outside: what it has computed so far, and what it is about now."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

About = Literal["computing", "waiting", "stopped"]
"""A process computes where one of its threads runs, could run if the machine had a core for it, or cannot be
interrupted: then it is given memory or a file. It waits where none of them asks for anything."""

_STATE, _USER, _SYSTEM = 0, 11, 12
"""Places in what Linux tells of a process after its name, as proc(5) has them."""

_COMPUTING, _STOPPED = "RDU", "Tt"
"""Letters of Linux and, the U, of macOS; the others are kinds of sleep, or of death."""


@dataclass(frozen=True)
class Look:
    """What a process was seen to have computed, in seconds of all its threads, and to be about."""

    pid: int
    computed: float
    about: About


def look(pid: int) -> Look | None:
    """A look at a process; None where this system does not show it."""
    if sys.platform == "linux":
        return _by_files(pid)
    return _by_command(pid) if os.name == "posix" else None


def _by_files(pid: int) -> Look:
    """What /proc says; a process that is not there any longer waits for ever."""
    try:
        folder = Path(f"/proc/{pid}")
        whole = _fields(folder / "stat")
        states = {_fields(thread / "stat")[_STATE] for thread in (folder / "task").iterdir()}
    except OSError:
        return Look(pid, 0.0, "waiting")
    ticks = int(whole[_USER]) + int(whole[_SYSTEM])
    return Look(pid, ticks / os.sysconf("SC_CLK_TCK"), _about(states))


def _fields(stat: Path) -> list[str]:
    """What stands after the name, which may hold anything: first the state, then, in places, the times."""
    return stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def _by_command(pid: int) -> Look | None:
    """What `ps` says, as POSIX has it."""
    try:
        command = ["ps", "-o", "time=,stat=", "-p", str(pid)]
        told = subprocess.run(  # noqa: S603  # the number of a process of ours
            command, capture_output=True, text=True, check=False, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match told.stdout.split():
        case [time, state]:
            return Look(pid, _seconds(time), _about({state[0]}))
    return Look(pid, 0.0, "waiting")


def _seconds(time: str) -> float:
    """Seconds of a time such as 1-02:03:04 or 2:03.45."""
    days, _, rest = time.rpartition("-")
    total = 0.0
    for part in rest.split(":"):
        total = 60 * total + float(part)
    return total + 86400 * int(days or 0)


def _about(states: set[str]) -> About:
    if states.intersection(_COMPUTING):
        return "computing"
    return "stopped" if states.intersection(_STOPPED) else "waiting"
