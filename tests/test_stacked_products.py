"""Products of matrices in loops: attention and its kin against the oracle of the fuzz, and their text."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest
from fuzz.gradients import layout, module_of
from fuzz.judge import judge
from seeds import SEED

from symgrad.pipeline import module_text
from symgrad.spec.reader import read


def products_of(spec: dict[str, Any]) -> list[str]:
    with layout(by_rows=True):
        lines = module_text(read(spec)).splitlines()
    return [line.strip() for line in lines if "gemm(1, " in line and line.startswith("        ")]


def sizes_of(random: Random, count: int) -> list[int]:
    return random.sample(range(1, 6), count)


def stacked(random: Random) -> dict[str, Any]:
    """A product of two tensors along rows and places, axes in any order; weights or data on the right."""
    ranges = dict(zip("hijk", sizes_of(random, 4), strict=True))
    left, right, made = (["n", "h", *ends] for ends in ("ik", "kj", "ij"))
    for axes in (left, right, made):
        middle = axes[1:]
        random.shuffle(middle)
        axes[1:] = middle
    if random.random() < 0.4:
        right.remove("n")
    if random.random() < 0.3:
        made.remove("h")
    summed = ", ".join(i for i in "hk" if i not in made)
    body = f"sum(a[{', '.join(left)}] * b[{', '.join(right)}], {summed})"
    spec: dict[str, Any] = {
        "name": "stacked",
        "dtype": "float64",
        "inputs": {"x": ["rows", *(ranges[i] for i in left[1:])]},
        "parameters": {"w": {"axes": [ranges[i] for i in left[1:]], "init": "normal(std=1)"}},
        "equations": {"a": "tanh(x * w)", f"y[{', '.join(made)}]": f"2 * {body}", "z": "sin(y)"},
        "loss": "sum(z)",
        "gradients": ["x"],
    }
    if "n" in right:
        spec["inputs"]["b"] = ["rows", *(ranges[i] for i in right[1:])]
        spec["gradients"] = ["x", "b"]
    else:
        spec["parameters"]["b"] = {"axes": [ranges[i] for i in right], "init": "normal(std=1)"}
    return spec


def test_products_along_rows_are_right():
    random, found = Random(SEED), 0
    for number in range(18):
        spec = stacked(random)
        outcome = judge(spec, random, by_rows=True)
        assert outcome.kind == "right", (number, spec, outcome)
        found += bool(products_of(spec))
    assert found > 3


HEADS = {
    "inputs": {"x": ["batch", 6, 8]},
    "targets": {"t": ["batch", 6, 8]},
    "parameters": {"Wq": [8, 2, 4], "Wk": [8, 2, 4], "Wo": [2, 4, 8]},
    "loss": "mse(y, t)",
}


@pytest.mark.parametrize(
    ("order", "scores"),
    [
        ("h,i,d", "gemm(1, Q[n, h], K[n, h].T, 0, S[h])"),
        ("i,h,d", "gemm(1, Q[n, :, h], K[n, :, h].T, 0, S[h])"),
    ],
)
def test_attention_is_products_whatever_the_order_of_its_axes(order, scores):
    row, column = f"n,{order}", f"n,{order.replace('i', 'j')}"
    equations = {
        f"Q[{row}]": "sum(x[n,i,c] * Wq[c,h,d], c)",
        f"K[{row}]": "sum(x[n,i,c] * Wk[c,h,d], c)",
        "S[n,h,i,j]": f"sum(Q[{row}] * K[{column}], d)",
        "P": "softmax(S)",
        f"O[{row}]": f"sum(P[n,h,i,j] * K[{column}], j)",
        "y[n,i,c]": f"sum(O[{row}] * Wo[h,d,c], h, d)",
    }
    spec = {**HEADS, "equations": equations, "name": "heads", "dtype": "float64"}
    assert scores in products_of(spec)
    assert len(products_of(spec)) >= 6  # S, O, and two slopes of each
    assert judge(spec, Random(1), by_rows=True).kind == "right"


STEEP_WHERE_MASKED = {
    "name": "masked",
    "dtype": "float64",
    "inputs": {"x": ["batch", 3, 2], "m": ["batch", 3]},
    "parameters": {"w": [2], "v": [2]},
    "equations": {
        "Q": "x * w",
        "K": "v / x",
        "S[n,i,j]": "where(m[n,j] > 0, sum(Q[n,i,d] * K[n,j,d], d), 0)",
    },
    "loss": "sum(sin(S))",
}


def test_what_a_mask_hides_may_be_infinite_in_a_product():
    """A row of K is infinite where the mask hides it, and only there are the slopes of its scores 0."""
    products = [line for line in products_of(STEEP_WHERE_MASKED) if line.startswith("masked_gemm")]
    assert len(products) == 1  # of dQ; what dK multiplies, Q, is finite
    random = np.random.default_rng(SEED)
    x, m = random.uniform(1, 2, (4, 3, 2)), np.ones((4, 3))
    x[1, 2], m[1, 2] = 0, 0
    w, v = random.normal(size=(2, 2))
    with np.errstate(all="ignore"):  # as the compiled module computes
        loss, grad = module_of(STEEP_WHERE_MASKED, by_rows=True).loss_and_grad((w, v), x, m)
    inverse = np.divide(1, x, where=x != 0, out=np.zeros_like(x))
    terms = x[:, :, None] * inverse[:, None] * m[:, None, :, None]  # of each score, over w·v
    slopes = (np.cos(terms @ (w * v))[..., None] * terms).sum((0, 1, 2))
    np.testing.assert_allclose(loss, np.sin(terms @ (w * v)).sum(), rtol=1e-12)
    np.testing.assert_allclose(grad, (slopes * v, slopes * w), rtol=1e-10)
