"""The machine: its cores and instructions, the BLAS library and its threads, Numba's threads."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgrad.benchmark.machine_limits import cpu_name
from symgrad.diagnosis.diagnosis_report import Finding
from symgrad.usable_cores import allowed_cores, granted_cores, usable_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTHS = (
    ("avx512f", "AVX-512"),
    ("avx2", "AVX2"),
    ("avx", "AVX"),
    ("sse2", "SSE2"),
    ("sve", "SVE"),
    ("neon", "NEON"),
)
_LAYERS = (("tbb", "tbbpool"), ("omp", "omppool"), ("workqueue", "workqueue"))
_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def processor() -> Iterator[Finding]:
    """The processor, the cores this process may use, and what LLVM compiles for."""
    from llvmlite import binding

    cores, there = allowed_cores(), os.cpu_count() or 1
    yield Finding("machine", "processor", cpu_name())
    yield Finding("machine", "cores", f"{cores} of {there} usable", number=cores)
    share = granted_cores()
    if share is not None and share < cores:
        remedy = f"set OMP_NUM_THREADS={max(1, int(share))}: more threads than that wait for each other"
        value = f"{share:g} cores' worth of time, less than the {cores} cores"
        yield Finding("machine", "time limit", value, "warning", remedy)
    features = binding.get_host_cpu_features()
    known = [name for feature, name in _WIDTHS if features.get(feature)]
    vectors = known[0] if known else "no vectors"
    llvm = ".".join(map(str, binding.llvm_version_info))
    yield Finding("machine", "compiled for", f"{binding.get_host_cpu_name()} with {vectors}, by LLVM {llvm}")


def blas() -> Iterator[Finding]:
    """The library that SciPy's products come from, and how many threads it starts."""
    from threadpoolctl import threadpool_info

    import_module("scipy.linalg")
    libraries = [info for info in threadpool_info() if info["user_api"] == "blas"]
    own = next((info for info in libraries if "scipy" in Path(info["filepath"]).parent.name.lower()), None)
    info = own or next(iter(libraries), None)
    if info is None:
        remedy = "products may be slow; SciPy's wheels from PyPI bring OpenBLAS"
        yield Finding("BLAS", "SciPy's library", "not recognised", "warning", remedy)
        return
    yield Finding("BLAS", "SciPy's library", _described(info))
    threads, cores = int(info["num_threads"]), usable_cores()
    if threads > cores:
        remedy = f"set OPENBLAS_NUM_THREADS={cores}: more threads than cores wait for each other"
        yield Finding("BLAS", "threads", f"{threads} on {cores} cores", "warning", remedy, threads)
        return
    chosen = [f"{name}={os.environ[name]}" for name in _VARIABLES if os.environ.get(name)]
    said = f", by {chosen[0]}" if chosen else "; OPENBLAS_NUM_THREADS=1 keeps cores free for other work"
    yield Finding("BLAS", "threads", f"{threads}{said if threads > 1 or chosen else ''}", number=threads)


def _described(info: dict[str, Any]) -> str:
    names = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS"}
    kernels = f", kernels for {info['architecture']}" if info.get("architecture") else ""
    return f"{names.get(info['internal_api'], info['internal_api'])} {info.get('version') or ''}{kernels}"


def numba_threads() -> Iterator[Finding]:
    """The threading layers that parallel loops can use."""
    import numba

    def is_there(module: str) -> bool:
        try:
            import_module(f"numba.np.ufunc.{module}")
        except ImportError:
            return False
        return True

    layers = [name for name, module in _LAYERS if is_there(module)]
    yield Finding("Numba", "threading layers", ", ".join(layers) or "none")
    threads = numba.get_num_threads()
    yield Finding("Numba", "threads", str(threads), number=threads)
    if getattr(numba.config, "DISABLE_JIT", False):
        remedy = "unset NUMBA_DISABLE_JIT: without compilation modules are hundreds of times slower"
        yield Finding("Numba", "compilation", "switched off", "warning", remedy)
