"""Windows that are copied: convolutions against the oracle of the fuzz, and where nothing is copied."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest
from fuzz.gradients import text_of
from fuzz.judge import judge
from seeds import SEED

from symgrad.pipeline import stages_of
from symgrad.spec.reader import read


def equations(spec: dict[str, Any]) -> list[str]:
    return str(stages_of(read(spec)).arranged).splitlines()


def convolution(random: Random) -> dict[str, Any]:
    """Of one or two axes, with strides, dilations and shifts; sometimes two, the windows of one shared."""
    axes = random.choice((1, 2))
    channels, units = random.randint(1, 3), random.randint(4, 6)
    sizes, kernel, reads = [], [], []
    for place, offset in zip("ij"[:axes], "uv"[:axes], strict=True):
        stride, dilation, shift = random.randint(1, 3), random.randint(1, 2), random.randint(0, 1)
        out, taps = random.randint(1, 3), random.randint(1, 3)
        sizes.append(stride * (out - 1) + dilation * (taps - 1) + shift + 1)
        kernel.append(taps)
        reads.append(
            f"{stride}*{place} + {dilation}*{offset} + {shift}".replace("1*", "").replace(" + 0", "")
        )
    places, offsets = ", ".join("ij"[:axes]), ", ".join("uv"[:axes])
    rows = "n, " if random.random() < 0.8 else ""
    body = f"sum(x[{rows}{', '.join(reads)}, c] * W[{offsets}, c, o], {offsets}, c)"
    return {
        "name": "windows",
        "dtype": "float64",
        "inputs": {"x": [*(["rows"] if rows else []), *sizes, channels]},
        "parameters": {"W": {"axes": [*kernel, channels, units], "init": "normal(std=1)"}},
        "equations": {f"Z[{rows}{places}, o]": body, "A": "tanh(Z)"},
        "loss": "sum(A**2)",
        "gradients": ["x"],
    }


def test_convolutions_are_right():
    random, copied, in_place = Random(SEED), 0, 0
    for number in range(15):
        spec = convolution(random)
        outcome = judge(spec, random, by_rows=True)
        assert outcome.kind == "right", (number, spec, outcome)
        text = text_of(spec, by_rows=True)
        copied += "_windows[" in text
        in_place += bool(re.search(r"gemm\(.*\w:\d+ \+ ", text))
    assert copied > 3  # the others have one tap, or run over one place
    assert in_place > 1  # strided ones never


TWO_DIMENSIONAL = {
    "dtype": "float32",
    "inputs": {"x": ["batch", 20, 20, 3]},
    "parameters": {"W": {"axes": [3, 3, 3, 8], "init": "normal(std=1)"}},
    "equations": {"Z[n,i,j,o]": "sum(x[n, i+u, j+v, c] * W[u,v,c,o], u, v, c)"},
    "loss": "mean(Z**2)",
    "gradients": ["x"],
}


def test_a_convolution_is_one_product_and_its_slopes_are_one_each(monkeypatch):
    monkeypatch.setattr("symgrad.passes.windowing.window_costs.CALL", 1e9)
    found = equations(TWO_DIMENSIONAL)
    assert "x_windows[n, i, j, k, l, o] = x[n, i + k, j + l, o]" in found
    assert "Z[n, i, j, k] = sum_{l, o, p} W[l, o, p, k]*x_windows[n, i, j, l, o, p]" in found
    assert sum("= x[" in equation for equation in found) == 1  # one copy for both products
    assert "dx[n, i + k, j + l, o] += sum_{n, i, j, k, l, o} dx_windows[n, i, j, k, l, o]" in found


MANY_CHANNELS = {
    **TWO_DIMENSIONAL,
    "inputs": {"x": ["batch", 20, 20, 16]},
    "parameters": {"W": {"axes": [3, 3, 16, 16], "init": "normal(std=1)"}},
}


def test_windows_of_many_channels_are_copied_along_one_axis():
    found = equations(MANY_CHANNELS)
    assert "x_windows[n, i, j, k, l] = x[n, i, j + k, l]" in found
    assert "Z[n, i, j, k] = sum_{l, o, p} W[l, o, p, k]*x_windows[n, i + l, j, o, p]" in found
    assert "x_windows_2[n, i, j, k, l] = x[n, i, j + k, l]" in found  # in the cache again
    assert any("sum_{n, i, j} dZ" in e and "*x_windows_2[n, i + l, j, o, p]" in e for e in found)
    assert any(e.startswith("dx_windows[n, i + l, j, o, p] += ") for e in found)
    assert "dx[n, i, j + k, l] += sum_{n, i, j, k, l} dx_windows[n, i, j, k, l]" in found


def test_windows_are_multiplied_and_forgotten_row_by_row():
    stages = stages_of(read(MANY_CHANNELS))
    assert {"x_windows", "x_windows_2", "dx_windows"} <= stages.plan.by_rows
    window = r"x_windows\[(\w):18 \+ \1\]\.reshape\(324, 48\)"
    product = rf"gemm\(1, {window}, W\[\1\]\.reshape\(48, 16\), 1, Z\[n\]\.reshape\(324, 16\)\)"
    assert re.search(rf"        for \w in range\(3\):\n            {product}\n", stages.text)


@pytest.mark.parametrize(
    ("equation", "why"),
    [
        ({"Z[n,i,j,o]": "sum(x[n, i+u, j+v, c] * W[u,v,c,o], u, v, c)"}, "each number is used twice"),
        ({"Z[n,i,j,c]": "sum(x[n, i+u, j+v, c] * W[u,v,c,0], u, v)"}, "channels stay apart"),
        ({"Z[n,i,j,o]": "max(x[n, i+u, j+v, c] * W[u,v,c,o], u, v, c)"}, "not a sum"),
    ],
)
def test_where_it_does_not_pay_or_is_no_product_nothing_is_copied(equation, why):
    spec = {**TWO_DIMENSIONAL, "equations": equation}
    spec["parameters"] = {"W": {"axes": [3, 3, 3, 2], "init": "normal(std=1)"}}
    assert not any("_windows[" in line for line in equations(spec)), why


def test_rows_that_are_looked_up_are_copied_for_a_product():
    spec = {
        "inputs": {"c": {"axes": ["batch", 3], "classes": 50}},
        "targets": {"t": {"axes": ["batch"], "classes": 40}},
        "parameters": {"emb": [50, 6], "W": [3, 6, 40]},
        "equations": {"y[n,k]": "sum(emb[c[n,i], d] * W[i,d,k], i, d)"},
        "loss": "softmax_cross_entropy(y, t)",
    }
    found = equations(spec)
    assert "emb_windows[n, i, j] = emb[c[n, i], j]" in found
    assert any(line.startswith("demb[c[n, i], j] += ") and "demb_windows" in line for line in found)
    assert judge({**spec, "name": "rows", "dtype": "float64"}, Random(0)).kind == "right"


@pytest.mark.parametrize("length", ["T", 9])
def test_windows_whose_places_are_summed_alone_are_not_copied_for_that_sum(length: str | int) -> None:
    """`Σ_{n,i} x[n, i + u, c]·dy[n, o]`, the slope in a kernel below a mean over all places."""
    spec = {
        "name": "pooled",
        "dtype": "float64",
        "inputs": {"x": ["batch", length, 2]},
        "equations": {"h": "conv1d(x, 3, kernel=3, padding=1)", "y": "mean(h, axis=1)"},
        "loss": "sum(sin(y))",
        "gradients": ["x"],
    }
    assert judge(spec, Random(SEED)).kind == "right"
