"""Large products on several threads: right, the same again, and in nobody's way."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from building import by_rows, written
from module_use import LINE
from seeds import ROOT, SEED

from symgrad.runtime.numba.sharing import shared_work

if TYPE_CHECKING:
    from pathlib import Path

WORK = """
import hashlib, os, sys, threading, time
import numba, numpy as np
from concurrent.futures import ThreadPoolExecutor
from threadpoolctl import threadpool_info, threadpool_limits
import symgrad

module, rng = symgrad.load(sys.argv[1]), np.random.default_rng(int(sys.argv[2]))
product = numba.njit(lambda alpha, a, b, beta, c: module_gemm(alpha, a, b, beta, c), nogil=True)
module_gemm = module.gemm

def held(matrix, by_columns, has_gaps):
    "The same matrix, with garbage between its rows or columns."
    matrix = np.ascontiguousarray(matrix.T) if by_columns else matrix
    gap = 5 if has_gaps else 0
    whole = np.full((matrix.shape[0], matrix.shape[1] + gap), np.nan, matrix.dtype)
    whole[:, : matrix.shape[1]] = matrix
    part = whole[:, : matrix.shape[1]] if has_gaps else whole
    return part.T if by_columns else part

def drawn(dtype):
    inner = int(rng.integers(1, 900))
    one = int(rng.integers(1, 600))
    other = int(min(max(rng.uniform(1, 4) * 2**22 / inner / one, 1), 20000))
    rows, columns = (one, other) if rng.integers(2) else (other, one)
    a, b = (rng.normal(size=size).astype(dtype) for size in ((rows, inner), (inner, columns)))
    forms = rng.integers(2, size=4).astype(bool)
    beta = float(rng.choice([0, 1, 0.5]))
    before = np.full((rows, columns + 3), np.nan if not beta else 2, dtype)
    return held(a, *forms[:2]), held(b, *forms[2:]), beta, before

def computed(case):
    a, b, beta, before = case
    c = before.copy()
    product(a.dtype.type(-0.5), a, b, a.dtype.type(beta), c[:, :-3])
    return c

def is_right(case, c):
    a, b, beta, before = case
    exact = -0.5 * (a.astype(float) @ b.astype(float)) + (beta * 2 if beta else 0)
    near = 20 * np.finfo(a.dtype).eps * max(np.abs(exact).max(), 1)
    beside = np.array_equal(c[:, -3:], before[:, -3:], equal_nan=True)
    return beside and np.abs(c[:, :-3] - exact).max() <= near

def threads():
    return len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else 0

def of_scipy():
    return {i["num_threads"] for i in threadpool_info() if "scipy" in i["filepath"]}

cases = [drawn(dtype) for dtype in ("float32", "float64") for _ in range(10)]
before, blas = threads(), of_scipy()
with threadpool_limits(1):
    print("alone", all(is_right(case, computed(case)) for case in cases[:3]), threads() - before)
found = [computed(case) for case in cases]
print("right", all(map(is_right, cases, found)), threads() - before)
again = [computed(case) for case in cases]
print("same", all(np.array_equal(x, y, equal_nan=True) for x, y in zip(found, again)), of_scipy() == blas)
with ThreadPoolExecutor(3) as pool:
    beside = list(pool.map(computed, cases))
print("beside", all(map(is_right, cases, beside)), of_scipy() == blas)
time.sleep(0.2)  # until the threads sleep with which NumPy found what is right
start = time.process_time()
time.sleep(0.5)
print("sleeps", time.process_time() - start < 0.02, True)
if hasattr(os, "fork"):
    sys.stdout.flush()
    if not (child := os.fork()):
        os._exit(0 if all(is_right(case, computed(case)) for case in cases[:5]) else 3)
    print("forked", os.waitpid(child, 0)[1] == 0, True)
other = symgrad.load(sys.argv[3])
del module, module_gemm, product
import gc; gc.collect()
module_gemm = other.gemm
product = numba.njit(lambda alpha, a, b, beta, c: module_gemm(alpha, a, b, beta, c))
print("other", all(is_right(case, computed(case)) for case in cases[:5]), True)
"""


def test_products_in_blocks(tmp_path: Path) -> None:
    """Of random sizes and layouts, alone, from several threads, in a child, with limits; then they sleep."""
    with by_rows():
        files = [written(LINE, tmp_path / name) for name in ("one", "other") if not (tmp_path / name).mkdir()]
    threads = 3
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",  # newer Pythons warn of forks among threads
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)),
    }
    command = [sys.executable, "-c", WORK, str(files[0]), str(SEED % 2**32), str(files[1])]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    told = {name: values for name, *values in map(str.split, run.stdout.splitlines())}
    begun = str(threads - 1) if sys.platform == "linux" else "0"
    assert told.pop("alone") == ["True", "0"]
    assert told.pop("right") == ["True", begun]
    assert told.keys() >= {"same", "beside", "sleeps", "other"}
    assert all(values == ["True", "True"] for values in told.values()), told


@pytest.mark.parametrize(("asked", "threads"), [("3", 3), ("4,2", 4), (" 2 ", 2)])
def test_how_many_threads(monkeypatch: pytest.MonkeyPatch, asked: str, threads: int) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert shared_work._threads() == threads


@pytest.mark.parametrize("asked", ["", "0", "-1", "many", "²"])
def test_what_is_no_number_of_threads_means_all_cores(monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert shared_work._threads() >= 1
