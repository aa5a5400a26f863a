"""A small module, generated, compiled and verified; and speeds measured with it."""

from __future__ import annotations

import io
import time
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from symgrad.benchmark.machine_limits import copy, fastest, product
from symgrad.benchmark.units import amount, duration
from symgrad.diagnosis.diagnosis_report import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

_SPEC = """
name: doctor
dtype: float64
inputs: {x: [rows, 64]}
targets: {y: [rows, 64]}
layers: [dense(64)]
loss: mse
"""
_SIZES = (("small", 32), ("large", 1024))
_FAR = 1 << 27
_REPORT = "SYMGRAD_DEBUG=1 shows where; if the findings above are fine, please report this with them"


def trial(progress: Callable[[str], None]) -> Iterator[Finding]:
    """Speeds, then the verdict on a small module made anew."""
    with TemporaryDirectory(prefix="symgrad_doctor_") as folder:
        progress("generating, compiling and verifying a small module")
        module, finding = _made(Path(folder) / "doctor.py")
        if module is not None:
            yield Finding("BLAS", "emitted modules use", getattr(module, "BLAS", "SciPy's"))
        progress("measuring")
        yield from _speeds(module)
        yield finding


def _made(file: Path) -> tuple[ModuleType | None, Finding]:
    from symgrad.compiler.loading.load import load
    from symgrad.pipeline import module_text
    from symgrad.spec.reader import read

    start = time.perf_counter()
    try:
        file.write_text(module_text(read(_SPEC)), encoding="utf-8")
        module = load(file)
        with redirect_stdout(io.StringIO()) as said:
            passed = module.verify(points=1)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is what the doctor was asked to find
        problem = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        return None, Finding("trial", "a small module", problem, "broken", _REPORT)
    seconds = time.perf_counter() - start
    if not passed:
        return module, Finding("trial", "a small module", said.getvalue().strip(), "broken", _REPORT)
    value = f"generated, compiled and verified in {seconds:.1f} s"
    return module, Finding("trial", "a small module", value, number=seconds)


def _speeds(module: ModuleType | None) -> Iterator[Finding]:
    for dtype in ("float32", "float64"):
        for size_name, size in _SIZES:
            rate = product(dtype, module, size).rate()
            name = f"{size_name} product, {dtype}"
            yield Finding("speed", name, f"{amount(rate)}FLOP/s ({size} × {size})", number=rate)
    rate = copy(_FAR).rate()
    yield Finding("speed", "memory", f"{amount(rate)}B/s", number=rate)
    seconds = _seconds_of_call()
    yield Finding("speed", "call of compiled code", duration(seconds), number=seconds)


def _seconds_of_call() -> float:
    import numpy as np
    from numba import njit

    array, compiled = np.zeros(1), njit(lambda array: array[0])

    def many() -> None:
        for _ in range(1000):
            compiled(array)

    return fastest(many) / 1000
