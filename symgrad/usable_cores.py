"""How many cores there are to work with."""

from __future__ import annotations

import math
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/")
"""Where Linux tells of processes and their groups."""


def usable_cores() -> int:
    """The number of cores that this process may run on and has time for."""
    share = granted_cores()
    return allowed_cores() if share is None else min(allowed_cores(), math.ceil(share))


def allowed_cores() -> int:
    """The number of cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def granted_cores() -> float | None:
    """How many cores' time this process's container grants it at most; None where nothing is said of that."""
    found = [_share(folder) for folder in _groups()]
    return min((share for share in found if share is not None), default=None)


def _groups() -> Iterator[Path]:
    """The folders of the groups of processes that this one is in, inner ones first; some may not be there.

    In a container they may be called as outside, where its own is at the root.
    """
    base = ROOT / "sys/fs/cgroup"
    try:
        lines = (ROOT / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        kinds, _, name = line.partition(":")[2].partition(":")
        inside = PurePosixPath(name.lstrip("/"))
        for mount in _mounts(kinds):
            yield from (base / mount / group for group in (inside, *inside.parents))


def _mounts(kinds: str) -> tuple[str, ...]:
    """Where groups lie that share what is so called: version 2 has one for all, which has no name."""
    if not kinds:
        return "", "unified"
    return (kinds, "cpu") if "cpu" in kinds.split(",") else ()


def _share(group: Path) -> float | None:
    """How many cores' time a group has, by the file of version 2 or the two of version 1."""
    try:
        if (group / "cpu.max").is_file():
            most, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        else:
            most, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        share = int(most) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # it may say "max"
        return None
    return share if share > 0 else None  # version 1 says -1
