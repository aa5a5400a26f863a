"""Modules for tests: compiled as a user gets them, or run by Python where only their results matter."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import pytest
from corpus import CORPUS

from symgrad.compiler.kernels import shared_turns
from symgrad.compiler.loading.load import double_precision_twin, load, run_drivers_in_python
from symgrad.compiler.planning import samples_innermost
from symgrad.compiler.targets.numba import lowered_model
from symgrad.passes.memory import turned_factors
from symgrad.pipeline import Stages, module_text, stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.verdict import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

    from symgrad.calculus.program import Program
    from symgrad.spec.model import Spec
    from symgrad.verifier.report import Report


@contextmanager
def by_rows() -> Iterator[None]:
    """Inside it small networks too are stored by rows and leave their products to BLAS, as large ones do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples_innermost, "MOST_FEATURES", 0)
        yield


@contextmanager
def in_short_parts(entries: int) -> Iterator[None]:
    """Inside it threads take so many entries at a time of passes of small networks too."""
    with pytest.MonkeyPatch.context() as patch, by_rows():
        patch.setattr(shared_turns, "PART", entries)
        patch.setattr(shared_turns, "LONG", 1)
        yield


@contextmanager
def with_turned_copies() -> Iterator[None]:
    """Inside it a copy saves all that it could, so that every factor read across is turned."""
    with pytest.MonkeyPatch.context() as patch, by_rows():
        patch.setattr(turned_factors, "LEAST_GAIN", 0)
        yield


@contextmanager
def in_sections(longest: int) -> Iterator[None]:
    """Inside it drivers are cut, as long ones are, into sections of so many statements."""
    with pytest.MonkeyPatch.context() as patch, by_rows():
        patch.setattr(lowered_model, "LONGEST_SECTION", longest)
        yield


@cache
def program_of(name: str) -> Program:
    """The derived program of a spec of the corpus, derived once in a process."""
    return stages_of(read(CORPUS[name])).derived


def staged(name: str, optimizer: str = "") -> Stages:
    """The stages of a spec of the corpus, maybe with another optimiser, from the derived program on."""
    model = expand(read(CORPUS[name]))
    if optimizer:
        other = expand(read(CORPUS[f"optimizer_{optimizer}"]))
        rates = {"schedule": other.schedule, "named_schedule": other.named_schedule}
        model = replace(model, optimizer=other.optimizer, hyper=other.hyper, **rates)
    stages = Stages(model)
    vars(stages)["derived"] = program_of(name)
    return stages


@lru_cache(maxsize=32)
def emitted(spec: Spec, _most_features: int) -> str:
    """The text of a module, emitted once in a process for each way of storing it, for all faults planted."""
    return module_text(spec)


def written(spec: Any, folder: Path, edit: Callable[[str], str] = str) -> Path:
    """The emitted module of a spec in a file, after an edit."""
    text = emitted(read(spec), samples_innermost.MOST_FEATURES)
    path = folder / "module.py"
    path.write_text(edit(text), encoding="utf-8")
    return path


def interpreted(path: Path) -> ModuleType:
    """The module without compilation: the same statements, run by Python."""
    before, numba.config.DISABLE_JIT = numba.config.DISABLE_JIT, True
    try:
        return load(path)
    finally:
        numba.config.DISABLE_JIT = before


def judged(
    spec: Any,
    folder: Path,
    edit: Callable[[str], str] = str,
    *,
    compiled: bool,
    points: int = 1,
    by_python: bool = False,
) -> Report:
    """The verdict on the module of a spec, after an edit; a float64 module is its own twin.

    Compiled, the twin's drivers are run by Python over compiled kernels, as those of users' modules are; with
    `by_python` all of the twin is run by Python, and the module's own drivers but the two that training runs.
    """
    path = written(spec, folder, edit)
    module = load(path) if compiled else interpreted(path)
    twin = module
    if np.float64 != module.DTYPE:
        twin = double_precision_twin(module) if compiled and not by_python else interpreted(path)
        twin.DTYPE = np.float64
    if compiled and by_python:
        run_drivers_in_python(module, ("_gradient", "_epoch"))
    if compiled and twin is not module and not by_python:
        run_drivers_in_python(twin)
    return verify(expand(read(spec)), module, twin=twin, points=points)


def is_identical(report: Report) -> bool:
    """Whether the text was compared exactly with its spec, and is it."""
    return any((c.name, c.verdict, c.certainty) == ("identity", "pass", "identical") for c in report.checks)
