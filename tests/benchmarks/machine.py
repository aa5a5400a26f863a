"""The machine and the libraries that a result was measured with."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

_BLAS = ("blas", "mkl_rt", "dnnl")


def machine() -> dict[str, str]:
    """The processor, its cores and caches, the memory and the system, as far as they can be read."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "caches": _caches(),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "pinned": "yes" if hasattr(os, "sched_setaffinity") else "no: this system does not pin processes",
    }


def available_cores() -> tuple[int, ...]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    pairs = (line.partition(":") for line in lines)
    facts = {name.strip(): value.strip() for name, _, value in pairs}
    if "model name" not in facts:
        return platform.processor() or platform.machine()
    widest = [name for name in ("avx2", "avx512f") if name in facts.get("flags", "").split()]
    family = f"family {facts.get('cpu family', '?')}, model {facts.get('model', '?')}"
    return f"{facts['model name']} ({family}{', ' + widest[-1] if widest else ''})"


def _caches() -> str:
    folders = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    facts = [
        tuple((folder / name).read_text().strip() for name in ("level", "type", "size")) for folder in folders
    ]
    return ", ".join(f"L{level} {size}" for level, kind, size in facts if kind != "Instruction") or "unknown"


def _memory() -> str:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return "unknown"
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"


def loaded_blas() -> list[str]:
    """The files of the BLAS libraries in this process, as far as the system tells."""
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    names = {line.rsplit("/", 1)[-1] for line in lines if "/" in line}
    return sorted(name for name in names if name.startswith("lib") and any(part in name for part in _BLAS))
