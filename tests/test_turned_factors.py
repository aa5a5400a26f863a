"""Copies of matrices that small products read across: where they pay, and once for all that reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmarks.residuals import residual
from building import interpreted, is_identical, judged, with_turned_copies, written

from symgrad.calculus.contraction import as_product
from symgrad.pipeline import Stages, stages_of
from symgrad.spec.reader import read


def stages(batch: int, **spec: Any) -> Stages:
    train = {"batch_size": batch, "optimizer": "adam"}
    return stages_of(read({"dtype": "float32", **spec, "train": train}))


def copies(found: Stages) -> list[str]:
    """What is turned, in the order of the copies."""
    return [e.body.tensor for e in found.arranged.equations if e.target.endswith("_turned")]


def across(found: Stages) -> list[str]:
    """The right factors that products still read across."""
    products = (as_product(e) for e in found.arranged.equations)
    return [p.right for p in products if p is not None and p.right_transposed]


def test_slopes_share_one_copy_of_each_matrix() -> None:
    found = stages(256, **residual("burgers", 4, 50))
    assert sorted(copies(found)) == ["W2", "W3", "W4"]
    assert across(found) == []
    readers = [e for e in found.arranged.equations if "W4_turned" in e.reads]
    assert len(readers) == 4


@pytest.mark.parametrize(("batch", "width", "turned"), [(8, 50, []), (256, 50, ["W2"]), (256, 200, [])])
def test_few_rows_and_large_products_are_left_as_they_are(batch: int, width: int, turned: list[str]) -> None:
    layers = [f"dense({width}, activation=tanh)", "dense(10)"]
    spec = {
        "inputs": {"x": ["batch", 64]},
        "targets": {"t": {"axes": ["batch"], "classes": 10}},
        "layers": [*layers[:1], *layers],
        "loss": "softmax_cross_entropy",
    }
    assert [name for name in copies(stages(batch, **spec)) if name == "W2"] == turned


def test_all_steps_of_a_recurrence_share_one_copy_made_before_them() -> None:
    """A step has few rows, which alone would not pay."""
    spec = {
        "inputs": {"x": ["batch", 20, 32]},
        "targets": {"t": ["batch", 1]},
        "layers": ["rnn(64)", "last", "dense(1)"],
        "loss": "mse",
    }
    found = stages(32, **spec)
    (name,) = [name for name in copies(found) if found.arranged.tensor[name].axes[0].size == 64]
    gradient = found.phases[-1].steps
    made, looped = (
        next(k for k, step in enumerate(gradient) if any(wanted(e) for e in step.equations))
        for wanted in (lambda e: e.target == f"{name}_turned", lambda e: f"{name}_turned" in e.reads)
    )
    assert made < looped
    assert all(e.target != f"{name}_turned" for e in gradient[looped].equations)


@pytest.mark.parametrize(("steps", "turned"), [(20, True), (5, False)])
def test_what_every_step_would_pack_anew_is_turned_too(steps: int, turned: bool) -> None:
    spec = {
        "inputs": {"x": ["batch", steps, 8]},
        "targets": {"t": ["batch", 300]},
        "layers": ["rnn(300)", "last"],
        "loss": "mse",
    }
    assert bool(copies(stages(32, **spec))) == turned


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_module_is_its_spec(optimizer: str, tmp_path: Any) -> None:
    spec = {**residual("burgers", 3, 5), "train": {"optimizer": optimizer}}
    with with_turned_copies():
        assert is_identical(judged(spec, tmp_path, compiled=False))
        text = written(spec, tmp_path).read_text(encoding="utf-8")
    assert "W2_turned = W2ᵀ" in text


def test_memory_begins_with_a_line_of_the_cache(tmp_path: Any) -> None:
    """The workspace, and in it what has an entry for each row."""
    with with_turned_copies():
        module = interpreted(written(residual("burgers", 3, 5), tmp_path))
    for size in (7, 10_000, 1_000_000):
        memory = module._empty(size)
        assert memory.size == size
        assert memory.ctypes.data % 64 == 0
    assert module._work_size(1) - module._work_size(0) == module._work_size(2) - module._work_size(1)
    assert module._work_size(0) % 16 == 0
    assert np.shares_memory(module._kept("work", 10), module._kept("work", 5))
