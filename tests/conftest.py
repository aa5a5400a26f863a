"""Settings of the process that runs the tests; they change how long it takes, not what it computes."""

from __future__ import annotations

import compileall
import os
from contextlib import suppress
from typing import Any

import pytest
from seeds import ROOT, SEED, has_its_turn

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


_IN_TURN = frozenset(
    """
    accumulate activations alignments api average behaviour bench benchmarks cache call_watch cases
    certificate chance channels_first cli columns compare compare_automatic deployment derivative_terms
    derive diagonals differentiate doctor driver_sections each_step elementary equal_blocks equal_layers
    examples exchanges export faults fit_broken fixed_points freeze fuzz fuzz_judge gate gradients
    hessian_forms hyper identity identity_deep identity_layout identity_mutants identity_step
    identity_subscripts identity_zeros import input_roles isolation jacobians lectures log_space
    looked_up_steps masks micro_batches model_state module module_cache module_kinds module_meanings
    module_processes mutation nested_formulas networks normalisations notation_conventions notebooks
    numerics numerics_models package per_parameter plan policies prediction processes products
    python_target ranks rearrangements recurrences rows samples scalar_view scatter_chains schedule
    schedules shared_epochs shared_passes shared_work simplify sklearn softmax_slopes some_rows
    speed_of_derivation stacked_products stages steps_at_once steps_of_time sweep sweep_others
    textbook_forms tilings train_resume transformers turned_factors two_modes update_program
    verify_decisions verify_edited verify_faults verify_functions verify_order verify_product
    verify_rounding verify_specs verify_standin verify_tape weights
    """.split()  # noqa: SIM905  # a hundred names
)
"""The files whose tests take turns when all are run: each state of the sources has about a third of them.

All would take four fifths of the time. Who names files or folders (`pytest tests`) has every test in them."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        # Tests start some hundred processes; where none writes bytecode, each would compile all sources.
        compileall.compile_dir(ROOT / "symgrad", quiet=2)
    if config.getoption("--hypothesis-seed") is None:
        config.option.hypothesis_seed = SEED


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Workers are told by which arguments the run was started: their own are always files."""
    node.workerinput["takes_turns"] = _takes_turns(node.config)


def _takes_turns(config: pytest.Config) -> bool:
    if hasattr(config, "workerinput"):
        return bool(config.workerinput["takes_turns"])
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS


def _is_in_turn(item: pytest.Item) -> bool:
    return item.path.stem.removeprefix("test_") in _IN_TURN


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _takes_turns(config):
        resting = {item for item in items if _is_in_turn(item) and not has_its_turn(item.nodeid)}
        config.hook.pytest_deselected(items=[*resting])
        items[:] = [item for item in items if item not in resting]
    place = {stem: number for number, stem in enumerate(_LONG)}
    items.sort(key=lambda item: place.get(item.path.stem, len(_LONG)))
