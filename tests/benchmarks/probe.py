"""A process that measures what the machine reaches on its cores, and prints it as JSON: see floor.py."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time

CORES = json.loads(os.environ["BENCH_CORES"])
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, CORES)

from functools import partial  # noqa: E402
from importlib import metadata  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

import numba  # noqa: E402
import numpy as np  # noqa: E402
import scipy.linalg.blas  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

SQUARES = (512, 768, 1024, 2048)
ARRAYS = tuple(2**power for power in range(12, 28))  # bytes: 4 KiB to 128 MiB
LEAST = 5  # measurements of each
PASS = 2**22  # bytes that one timing goes through


def main() -> None:
    """Print the rates."""
    seconds = float(sys.argv[1])
    products = {name: _product_rate(multiply, seconds) for name, multiply in _providers().items()}
    passes = [(size, _pass_rate(size, seconds)) for size in ARRAYS]
    print(json.dumps({"products": products, "passes": passes}))


def _best(run: Callable[[], Any], seconds: float) -> float:
    """The shortest time of a call."""
    run()
    best, end, count = float("inf"), time.perf_counter() + seconds, 0
    while count < LEAST or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best, count = min(best, time.perf_counter() - start), count + 1
    return best


def _providers() -> dict[str, Callable[[Any, Any, Any], Any]]:
    """The BLAS libraries of this environment, each as a call of c = a·b."""
    found: dict[str, Callable[[Any, Any, Any], Any]] = {
        "NumPy's BLAS": lambda a, b, c: np.dot(a, b, c),
        "SciPy's BLAS": lambda a, b, c: scipy.linalg.blas.sgemm(1, b.T, a.T, c=c.T, overwrite_c=1),
    }
    others = {"MKL": _mkl(), "oneDNN": _onednn()}
    found |= {name: multiply for name, multiply in others.items() if multiply is not None}
    try:
        import torch
    except ImportError:
        return found
    found["PyTorch's BLAS"] = lambda a, b, c: torch.mm(
        *map(torch.from_numpy, (a, b)), out=torch.from_numpy(c)
    )
    return found


def _mkl() -> Callable[[Any, Any, Any], Any] | None:
    """MKL's sgemm, if that is installed."""
    library = _library("mkl", "mkl_rt")
    if library is None:
        return None
    multiply = library.cblas_sgemm
    row_major, plain = 101, 111

    def product(a: Any, b: Any, c: Any) -> None:
        n, one, zero = len(a), ctypes.c_float(1), ctypes.c_float(0)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (a, b, c)]
        pa, pb, pc = pointers
        multiply(row_major, plain, plain, n, n, n, one, pa, n, pb, n, zero, pc, n)

    return product


def _onednn() -> Callable[[Any, Any, Any], Any] | None:
    """oneDNN's sgemm, if that is installed."""
    library = _library("onednn-cpu-gomp", "libdnnl")
    if library is None:
        return None
    size, number, pointer = ctypes.c_int64, ctypes.c_float, ctypes.c_void_p
    multiply, plain = library.dnnl_sgemm, ctypes.c_char(b"N")

    def product(a: Any, b: Any, c: Any) -> None:
        n, (pa, pb, pc) = size(len(a)), (pointer(array.ctypes.data) for array in (a, b, c))
        multiply(plain, plain, n, n, n, number(1), pa, n, pb, n, number(0), pc, n)

    return product


def _library(distribution: str, name: str) -> ctypes.CDLL | None:
    """The library of that name from a distribution, if that is installed."""
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        return None
    places = [str(file.locate()) for file in files if name in file.name]
    return ctypes.CDLL(places[0]) if places else None


def _product_rate(multiply: Callable[[Any, Any, Any], Any], seconds: float) -> float:
    """The best FLOP/s over some large sizes."""
    rng = np.random.default_rng(0)
    best = 0.0
    for n in SQUARES:
        a, b = (rng.standard_normal((n, n), np.float32) for _ in range(2))
        c = np.zeros_like(a)
        best = max(best, 2 * n**3 / _best(partial(multiply, a, b, c), seconds))
        assert np.allclose(c[0], a[0] @ b, atol=1e-2)
    return best


def _pass_rate(size: int, seconds: float) -> float:
    """The best bytes per second of passes that read and write an array."""
    array = np.ones(size // 4, np.float32)
    repeats = max(1, PASS // size)
    kernels = (_update, _update_in_parallel) if len(CORES) > 1 else (_update,)
    shortest = min(_best(partial(kernel, array, repeats), seconds / 4) for kernel in kernels)
    return 2 * size * repeats / shortest


@numba.njit(fastmath=True)
def _update(array: Any, repeats: int) -> None:
    for _ in range(repeats):
        for i in range(array.size):
            array[i] = array[i] * np.float32(0.999) + np.float32(0.001)


@numba.njit(fastmath=True, parallel=True)
def _update_in_parallel(array: Any, repeats: int) -> None:
    for _ in range(repeats):
        for i in numba.prange(array.size):
            array[i] = array[i] * np.float32(0.999) + np.float32(0.001)


if __name__ == "__main__":
    main()
