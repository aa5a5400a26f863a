"""The harness that plants faults: what it plants, and a sample that the judge must find and name."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from module_use import compiled_functions
from mutation.command import drawn, keep, read_results, table
from mutation.equivalent import ARGUED, argument
from mutation.faults import faults
from mutation.judging import Original, Outcome
from mutation.regions import UNPLANTED, regions
from mutation.specs import SPECS

from symgrad.spec.scalars import ULPS
from symgrad.verifier.functions.accuracy import mp, sample, units

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = 10


@pytest.fixture
def original(tmp_path: Path) -> Original:
    return Original("pieces", SPECS["pieces"], tmp_path)


def test_faults_of_every_kind_are_planted(original: Original) -> None:
    planted = list(faults(original.text))
    assert len(planted) > 500
    regions = Counter(fault.region for fault in planted)
    assert set(regions) == {
        *("computation", "optimiser", "epoch", "checks", "public", "declarations", "own verify"),
        *("intrinsics", "files", "rows", "ranks"),
    }
    kinds = {fault.kind for fault in planted}
    assert {"operator", "comparison", "constant", "branch", "bound", "offset", "missing sum"} <= kinds
    assert {"dropped statement", "dropped check", "stale buffer", "dtype", "arguments exchanged"} <= kinds
    for fault in planted[:: len(planted) // 50]:
        ast.parse(fault.text)
        assert fault.text != original.text


@pytest.mark.parametrize(
    "name",
    ["convolution", "pooled", "in_sections", "stateful", "recurrent", "next_words", "next_letters"],
)
def test_no_definition_is_left_out(name: str, tmp_path: Path) -> None:
    tree = ast.parse(Original(name, SPECS[name], tmp_path).text)
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    planted = {region.name for region in regions(tree)}
    assert compiled_functions(tree) <= planted
    assert defined - planted <= UNPLANTED


def test_the_draw_is_even_and_repeatable(original: Original) -> None:
    chosen, again = (drawn([original], 80, 3, lambda _: True) for _ in range(2))
    assert [f.title for _, f in chosen] == [f.title for _, f in again]
    assert min(Counter(f.region for _, f in chosen).values()) >= 7


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_no_argument_holds_against_a_call_that_differs(
    original: Original, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    planted = {
        fault.after: fault
        for fault in faults(original.text)
        if fault.function == "_work_size" and fault.kind == "operator"
    }
    assert original.difference(planted.pop("(16 * (4 * batch))")) == ""
    assert any(map(original.difference, planted.values())), "a workspace that is too small is seen"
    outcome = Outcome("pieces", "", "public", "_work_size:1 operator", "survived", True, (), "", 0.0, False)
    assert argument(outcome)
    assert not argument(replace(outcome, differs="forward"))


@pytest.mark.parametrize("name", ["exp", "expm1", "log"])
def test_the_function_that_may_take_the_place_of_the_own_one_keeps_its_bound(name: str) -> None:
    (argued,) = (argued for argued in ARGUED if argued.rounds and argued.region == "functions")
    assert re.match(argued.pattern, f"{name}:1 branch: type(x) is not REAL -> True")
    assert all(SPECS[spec]["dtype"] == "float64" for spec in argued.specs)
    places = sample(name, np.dtype(np.float64), np.random.default_rng(1), 400)
    with np.errstate(all="ignore"):
        found = getattr(np, name)(places)
    exact = [getattr(mp, name)(mp.mpf(float(x))) for x in places]
    worst = max(units(float(y), true, places.dtype) for y, true in zip(found, exact, strict=True))
    assert 0 < worst <= ULPS[name]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_sample_is_caught_and_rightly_named(
    original: Original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    wanted = ("computation", "optimiser", "epoch", "checks", "public")
    chosen = drawn([original], SAMPLE, 1, lambda region: region in wanted)
    outcomes = [original.outcome(fault) for _, fault in chosen]
    for outcome in outcomes:
        keep(tmp_path / "results", outcome)
        is_seen = outcome.end in ("caught", "refused") and outcome.rightly_named
        assert is_seen or argument(outcome), outcome
    assert list(read_results(tmp_path / "results")) == outcomes
    last = [list(column.cells)[-1] for column in table(outcomes).columns]
    assert last[:2] == ["all", str(SAMPLE)]
    assert last[-1] == "0", "the judge was lost"
