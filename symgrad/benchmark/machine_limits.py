"""What this machine can do: its cores, its rate of matrix products, its memory's bandwidth."""

from __future__ import annotations

import os
import platform
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from symgrad.verifier.interpretation.array_library import Array

_CPU_FACTS = Path("/proc/cpuinfo")
_LEAST_COPIED, _MOST_COPIED = 1 << 18, 1 << 27
"""Below this many bytes a copy measures its call, above they no longer matter."""

_SECONDS = 0.15


def cpu_name() -> str:
    """The processor's name, as its maker writes it where the system tells."""
    if _CPU_FACTS.is_file():
        for line in _CPU_FACTS.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Keep this thread, the threads it starts, and the BLAS libraries loaded by now to so many cores.

    Where the system cannot do so with threads, it is done with BLAS alone.
    """
    from threadpoolctl import threadpool_limits

    before = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    with threadpool_limits(count):
        try:
            if before is not None:
                os.sched_setaffinity(0, sorted(before)[:count])
            yield
        finally:
            if before is not None:
                os.sched_setaffinity(0, before)


@dataclass(frozen=True)
class Work:
    """A call, and how much it computes or moves."""

    call: Callable[[], object]
    amount: int

    def rate(self) -> float:
        """The amount per second in the best of several calls."""
        return self.amount / fastest(self.call)


def product(dtype: str, module: ModuleType | None = None, size: int = 1024) -> Work:
    """A product of square matrices, counted in operations.

    It is made as an emitted module makes it; without one, or where it has no products, by SciPy's BLAS.
    """
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(size, size)).astype(dtype) for _ in range(2))
    return Work(_multiplication(a, b, module), 2 * size**3)


def _multiplication(a: Array, b: Array, module: ModuleType | None) -> Callable[[], object]:
    from scipy.linalg import blas

    gemm = getattr(module, "gemm", None)
    if gemm is None:
        multiply = blas.sgemm if a.dtype == np.float32 else blas.dgemm
        c = np.zeros((b.shape[1], a.shape[0]), a.dtype, order="F")
        return lambda: multiply(1.0, b.T, a.T, 0.0, c, overwrite_c=True)
    target = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    into = _compiled(gemm)
    return lambda: into(a, b, target)


@cache
def _compiled(gemm: Callable[..., None]) -> Callable[[Array, Array, Array], None]:
    from numba import njit

    compiled: Callable[[Array, Array, Array], None] = njit(lambda a, b, c: gemm(1, a, b, 0, c))
    return compiled


def copy(working_set: int) -> Work:
    """A copy within so many bytes, those read and those written counted.

    Numbers that fit into a cache move faster, so the rate depends on how many there are.
    """
    half = min(max(working_set, _LEAST_COPIED), _MOST_COPIED) // 2
    source, target = np.ones(half, np.uint8), np.empty(half, np.uint8)
    return Work(lambda: np.copyto(target, source), 2 * half)


def fastest(call: Callable[[], object], seconds: float = _SECONDS) -> float:
    """The time of the fastest of several calls: others were held up by something else."""
    call()
    end, times = time.perf_counter() + seconds, [seconds_of(call) for _ in range(3)]
    while time.perf_counter() < end:
        times.append(seconds_of(call))
    return min(times)


def seconds_of(call: Callable[[], object]) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
