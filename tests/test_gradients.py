"""Every emitted gradient against high-precision differences of the spec, by the independent judge."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from building import by_rows, is_identical, judged
from corpus import CORPUS, EXAMPLES, ROUNDED, TRIED
from hypothesis import HealthCheck, given, settings
from networks import LOSSES, networks
from seeds import SEED, one_in

from symgrad.spec.expand import expand
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from pathlib import Path

QUIET = "ignore:.*(encountered|Numba):RuntimeWarning"


WHOLLY = "xor"
"""This example is compiled wholly, in both precisions."""

COMPILED = one_in(3, [example for example in EXAMPLES if example.stem != WHOLLY])
"""Of these, others for other sources, training and kernels are compiled; the rest is run by Python."""


@pytest.mark.filterwarnings(QUIET)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_examples_pass_the_judge(example: Path, tmp_path: Path) -> None:
    """Also after some training, which the judge does before the last of three points."""
    compiled, wholly = example in COMPILED, example.stem == WHOLLY
    report = judged(str(example), tmp_path, compiled=compiled or wholly, points=3, by_python=compiled)
    assert report.passed, str(report)
    assert is_identical(report), str(report)
    model = expand(read(str(example)))
    judged_blocks = {p.name for p in report.parameters}
    assert {p.name for p in model.parameters} <= judged_blocks
    assert judged_blocks or any(c.name.startswith("dloss/") for c in report.checks), str(report)


@pytest.mark.filterwarnings(QUIET)
@pytest.mark.parametrize("name", one_in(5, TRIED))
def test_every_construct_of_the_language_passes_the_judge(name: str, tmp_path: Path) -> None:
    """Row by row; those that are stored by columns compute the same, which test_columns.py shows.

    One in five, others for other sources: test_python_target.py computes some of them by both targets.
    """
    with by_rows():
        report = judged(CORPUS[name], tmp_path, compiled=False)
    assert report.passed, str(report)
    assert is_identical(report) == (name not in ROUNDED), str(report)


@pytest.mark.parametrize("loss", one_in(2, LOSSES))
def test_random_networks_pass_the_judge(loss: str, tmp_path: Path) -> None:
    """Of half of the losses: one network for each by columns, the others by rows.

    Of one loss, another for each state of the sources, one is compiled: training's functions and all kernels,
    in float32. The others are run by Python, as every construct is above.
    """
    seen = []
    place = SEED % (2 * len(LOSSES))
    compiled_one = 1 + place % 2 if loss == list(LOSSES)[place // 2] else 0

    @settings(
        max_examples=2,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(networks(loss))
    def check(spec: dict[str, Any]) -> None:
        seen.append(spec)
        folder = tmp_path / str(len(seen))
        folder.mkdir()
        is_compiled = len(seen) == compiled_one
        with nullcontext() if len(seen) == 2 else by_rows():
            report = judged(spec, folder, compiled=is_compiled, points=2, by_python=is_compiled)
        assert report.passed, f"{spec}\n{report}"

    check()
    assert len(seen) >= 2
