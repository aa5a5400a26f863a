"""Sums over many float32 rows keep their digits, and a fault at the end of a block is seen with few rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fuzz.modules import InPython, interpreted
from planting import planted

from symgrad.pipeline import stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of

ROWS = 40_000


def spec_of(dtype: str = "float32") -> dict[str, Any]:
    return {
        "name": "sums",
        "dtype": dtype,
        "inputs": {"x": ["n", 1]},
        "targets": {"t": ["n", 1]},
        "parameters": {"b": {"axes": [1], "init": 0}},
        "equations": {"y": "x + b"},
        "loss": "mean(y * t)",
    }


def slope_of_b(text: str, block: int, rows: int = ROWS) -> float:
    """The gradient of the bias, all of whose terms are 0.1, by Python, with blocks of so many rows."""
    module = interpreted(text)
    assert module.BLOCK == 1024
    module.BLOCK = block
    x, t = (np.full((rows, 1), value, np.float32) for value in (0.3, 0.1))
    _, gradients = module.loss_and_grad(module.init_params(), x, t)
    return float(gradients.b[0])


def test_a_sum_over_rows_keeps_its_digits() -> None:
    text = stages_of(read(spec_of())).text
    off = {block: abs(slope_of_b(text, block) / np.float64(np.float32(0.1)) - 1) for block in (1024, ROWS)}
    assert off[1024] < 2e-5
    assert off[ROWS] > 10 * off[1024], "added up in order, the numbers should lose digits"


@pytest.mark.parametrize("steps_at_once", [1, 2, None])
def test_a_sum_over_rows_and_steps_keeps_its_digits(steps_at_once: int | None) -> None:
    """In parts of a recurrence as without them."""
    rows, steps, slope = 20_000, 3, np.float32(0.1)
    spec = {
        **spec_of(),
        "inputs": {"x": ["n", steps, 1]},
        "targets": {"t": ["n", steps, 1]},
        "equations": {"y[n,t,i]": "0.5 * y[n,t-1,i] + x[n,t,i] + b[i]", "y[n,-1,i]": "0"},
        "loss": "sum(y * t)",
        "train": {"steps_at_once": steps_at_once},
    }
    module = interpreted(stages_of(read(spec)).text)
    assert module.BLOCK == 1024
    off = {}
    for module.BLOCK in (1024, rows):
        x, t = (np.full((rows, steps, 1), value, np.float32) for value in (0.3, slope))
        _, gradients = module.loss_and_grad(module.init_params(), x, t)
        right = rows * (1 + 1.5 + 1.75) * np.float64(slope)
        off[module.BLOCK] = abs(gradients.b[0] / right - 1)
    assert off[1024] < 2e-5
    assert off[rows] > 4 * off[1024], "added up in order, the numbers should lose digits"


def test_double_precision_is_added_up_in_order() -> None:
    assert "BLOCK" not in stages_of(read(spec_of("float64"))).text


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 7])
def test_a_sum_is_the_same_in_blocks_of_any_size(rows: int) -> None:
    """Beside a sum to one number, which is in double precision."""
    spec = {
        "name": "blocks",
        "dtype": "float32",
        "inputs": {"x": ["n", 17]},
        "equations": {"m": "mean(tanh(x), axis=0)", "s": "sum(exp(x))", "v": "sum((tanh(x) - m)**2, axis=0)"},
        "outputs": ["m", "s", "v"],
        "loss": "sum(m * v) + s",
        "gradients": ["x"],
    }
    stages = stages_of(read(spec))
    assert list(stages.plan.blocks.values()) == ["m_1_block", "v_block", "rounding_m_1_block"]
    assert "acc_s = 0.0" in stages.text
    module = interpreted(stages.text)
    in_python = InPython(stages.in_python, module)
    x = np.random.default_rng(rows).normal(size=(rows, 17)).astype(np.float32)
    wide = np.tanh(x.astype(float))
    right = wide.mean(0), np.exp(x.astype(float)).sum(), ((wide - wide.mean(0)) ** 2).sum(0)
    for block in (1, 2, 3, 1024):
        module.BLOCK = block
        for found, expected in zip(module.forward((), x), right, strict=True):
            np.testing.assert_allclose(found, expected, rtol=3e-5, atol=1e-6)
    in_python.loss_and_grad((), x)
    for found, expected in zip(in_python.forward((), x), right, strict=True):
        np.testing.assert_allclose(found, expected, rtol=3e-5, atol=1e-6)


FAULTS = {
    "only the last block": ("db[{i}] += db_block[{i}]", "db[{i}] = db_block[{i}]"),
    "blocks never cleared": ("            db_block[{i}] = real(0)\n", "            pass\n"),
    "the sum never cleared": ("        db[{i}] = real(0)\n", "        pass\n"),
    "a row left out": ("min(first + BLOCK, n)", "min(first + BLOCK - 1, n)"),
    "a row too many": ("min(first + BLOCK, n)", "min(first + BLOCK + 1, n)"),
    "beyond the rows": ("min(first + BLOCK, n)", "first + BLOCK"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_the_end_of_a_block_is_seen_with_few_rows(fault: str) -> None:
    spec = read(spec_of())
    text, (before, after) = stages_of(spec).text, FAULTS[fault]
    assert identity_of(expand(spec), text).state == "identical"
    assert identity_of(expand(spec), planted(text, before, after)).state == "differs"
