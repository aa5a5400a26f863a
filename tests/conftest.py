"""Settings of the process that runs the tests; they change how long it takes, not what it computes."""

from __future__ import annotations

import compileall
import os
from contextlib import suppress

import pytest
from seeds import ROOT, SEED

from symgrad.long_lived import expect_long_lived_objects

expect_long_lived_objects()
# SymPy forgets its results after 1000 of them.
os.environ.setdefault("SYMPY_CACHE_SIZE", "20000")
# Threads of one matrix product wait for each other in a loop, which tests side by side would prolong.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Hypothesis would read all sources for constants to draw: half a minute, and other draws for the same seed
# where other files were imported before.
with suppress(ImportError):  # of a Hypothesis that looks for none
    from hypothesis.internal.conjecture import providers

    if hasattr(providers, "_get_local_constants"):
        _NONE = providers.Constants()
        providers._get_local_constants = lambda: _NONE

_LONG = (
    "test_gradients",
    "test_readme",
    "test_faults",
    "test_random_specs",
    "test_lectures",
    "test_cli",
    "test_notebooks",
    "test_fuzz",
    "test_isolation",
    "test_policies",
    "test_sklearn",
    "test_identity_mutants",
    "test_module_kinds",
    "test_verify_faults",
    "test_identity_step",
    "test_elementary",
    "test_columns",
    "test_module_processes",
    "test_mutation",
    "test_verify_edited",
    "test_train_resume",
    "test_package",
    "test_verify_rounding",
    "test_freeze",
    "test_import",
    "test_verify_specs",
)
"""The files that take longest: they come first, so that none is left when all others are done."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        # Tests start some hundred processes; where none writes bytecode, each would compile all sources.
        compileall.compile_dir(ROOT / "symgrad", quiet=2)
    if config.getoption("--hypothesis-seed") is None:
        config.option.hypothesis_seed = SEED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {stem: number for number, stem in enumerate(_LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(_LONG)))
