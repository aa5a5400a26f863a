"""Subscripts of a text stay inside their arrays at all sizes, those included that it is never run at."""

from __future__ import annotations

import ast
from functools import cache

import numpy as np
import pytest
from corpus import CORPUS
from module_use import compiled_functions
from seeds import SEED

from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.identity.check import identity_of
from symgrad.verifier.identity.module_text import parse
from symgrad.verifier.static.size_polynomials import (
    is_never_negative,
    new_symbol,
    rounded_down,
    whole,
    witness,
)
from symgrad.verifier.static.subscripts import Findings, subscript_findings

SMALL = {
    "inputs": {"x": ["batch", 5]},
    "targets": {"t": ["batch", 3]},
    "layers": ["dense(4, activation=tanh)", "dense(3)"],
    "loss": "mse",
}
LABELLED = {
    "inputs": {"x": ["batch", 64]},
    "targets": {"t": {"axes": ["batch"], "classes": 10}},
    "layers": ["dense(40, activation=relu)", "dense(10)"],
    "loss": "softmax_cross_entropy",
}
FOLLOWED = [
    *("micro_batches", "constants", "convolution", "embedding", "ignored_class", "bilinear", "distances"),
    *(
        "small",
        "labelled",
        "batched_scores",
        "input_gradients",
        "optimizer_nesterov",
        "weighted_labels",
        "scalars_only",
        "transposes",
    ),
]


@cache
def text_of(name: str) -> str:
    return module_text(read({"small": SMALL, "labelled": LABELLED}.get(name) or CORPUS[name]))


def findings(text: str) -> Findings:
    return subscript_findings(text, parse(text).facts)


@pytest.mark.parametrize("name", FOLLOWED)
def test_every_subscript_of_a_right_text_is_shown(name):
    assert findings(text_of(name)) == Findings("", ())


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        (
            "small",
            "for n in range(batch):\n            acc_Z1_1",
            "for n in range(4):\n            acc_Z1_1",
            "x[j, n]",
        ),
        (
            "small",
            "A1_slope = view(work, 16, (4, batch))",
            "A1_slope = view(work, 16, (batch, 4))",
            "A1_slope[i, n]",
        ),
        ("small", "* W2[j, i]", "* W2[i, j]", "W2[i, j]"),
        ("small", "* x[j, n]", "* x[j + 1, n]", "x[j + 1, n]"),
        ("small", "* x[j, n]", "* x[j, n - 1]", "x[j, n - 1]"),
        ("small", "* x[j, n]", "* x[2 * j, n]", "x[2 * j, n]"),
        ("small", "return 16 + 18 * batch", "return 72 + batch", "view(work, "),
        ("small", "np.empty(count * (array.size // len(array))", "np.empty((20)", "view(rows, "),
        ("labelled", "gemm(1, x, W1, 0, A1)", "gemm(1, x, W1.T, 0, A1)", "gemm(1, x, W1.T, 0, A1)"),
        (
            "labelled",
            "_gather(t, order, start, batch, 1, rows[1])",
            "_gather(t, order, start, batch, 2, rows[1])",
            "width",
        ),
        ("labelled", "Z2[n, t[n]]", "Z2[n, t[n] + 1]", "Z2[n, t[n] + 1]"),
        ("labelled", "Z2[n, t[n]]", "Z2[t[n], 0]", "Z2[t[n], 0]"),
        ("batched_scores", "for s in range(j)", "for s in range(i)", "S_1[n, m, s]"),
        ("batched_scores", "gemm(1, Q[n], K[n].T", "gemm(1, Q[n], K[n]", "gemm(1, Q[n], K[n]"),
        ("batched_scores", "gemm(1, Q[n], K[n].T", "gemm(1, Q[n + 1], K[n].T", "Q[n + 1]"),
        ("batched_scores", "for n in range(b)", "for n in range(j)", "Q[n]"),
    ],
)
def test_a_planted_fault_is_told_with_its_line(name, old, new, told):
    text = text_of(name)
    assert old in text, text
    planted = text.replace(old, new)
    fault = findings(planted).fault
    assert fault, planted
    line = int(fault.split(",")[0].removeprefix("line "))
    assert told in fault
    assert told.split("(")[0] in planted.splitlines()[line - 1]


def test_identity_tells_it_though_the_sizes_tried_are_equal():
    text = text_of("small").replace(
        "for n in range(batch):\n        for i in range(3):\n",
        "for n in range(4):\n        for i in range(3):\n",
    )
    found = identity_of(expand(read(SMALL)), text)
    assert found.state == "differs"
    assert "where batch = 1" in found.detail


def test_one_more_turn_of_any_loop_is_told():
    rng = np.random.default_rng(SEED)
    text = module_text(read(CORPUS["convolution"]))
    lines = text.splitlines()
    loops = [loop for function in _compiled(text) for loop in ast.walk(function) if isinstance(loop, ast.For)]
    for loop in rng.choice(np.array(loops, dtype=object), min(12, len(loops)), replace=False):
        if ast.unparse(loop.iter).count(",") == 2:
            continue  # one more batch, of no rows
        end = loop.iter.args[-1]
        line = lines[end.lineno - 1]
        before, bound, behind = line[: end.col_offset], ast.unparse(end), line[end.end_col_offset :]
        more = f"{before}({bound} + 1){behind}"
        planted = [*lines[: end.lineno - 1], more, *lines[end.lineno :]]
        assert findings("\n".join(planted)).fault, more


def _compiled(text):
    tree = ast.parse(text)
    names = compiled_functions(tree, ("KERNELS",))
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]


def test_what_is_not_followed_is_left_and_not_told():
    text = text_of("small").replace("* x[j, n]", "* x[int(b1[0]), n]")
    found = findings(text)
    assert not found.fault
    assert "x[int(b1[0]), n]" in found.left[0]


def test_a_text_that_is_no_module_raises_nothing():
    assert findings(text_of("small").replace('_kept("work",', '_kept("work", 1,')).left


def test_polynomials_against_all_values_in_a_small_box():
    """What is shown holds everywhere, and a witness is one: each against every value of the symbols."""
    rng = np.random.default_rng(SEED)
    for _ in range(200):
        a, b = new_symbol("a", [whole(1)]), new_symbol("b", [whole(1)])
        i = new_symbol("i", [whole(0)], [a + b - whole(2)])
        c = rng.integers(-3, 4, 6).tolist()
        parts = zip(c, (a, b, i, a * b, a * i, whole(1)), strict=True)
        size = whole(0)
        for count, part in parts:
            size = size + whole(count) * part
        values = [
            c[0] * x + c[1] * y + c[2] * z + c[3] * x * y + c[4] * x * z + c[5]
            for x in range(1, 6)
            for y in range(1, 6)
            for z in range(x + y - 1)
        ]
        if is_never_negative(size):
            assert min(values) >= 0, size
        elif min(values) < 0:
            continue
        found = witness(size)
        if found is not None:
            assert size.at(found) < 0
            assert not is_never_negative(size)


def test_quotients_are_bounded_as_rounded_down() -> None:
    """(T + 1)//2 - 1 is never negative, nor is what its square is multiplied by; random ones lie as told."""
    T, b = new_symbol("T", lows=(whole(1),)), new_symbol("b", lows=(whole(1),))
    half = rounded_down(T + whole(1), whole(2)) - whole(1)
    assert is_never_negative(T * b + half * half * b)
    assert not is_never_negative(T * b - half * half * b)
    rng, told = np.random.default_rng(SEED), 0
    for _ in range(300):
        c, by = rng.integers(-4, 5, 6).tolist(), int(rng.integers(2, 5))
        low, times, add = (int(n) for n in rng.integers(0, 4, 3))
        n = new_symbol("n", lows=(whole(low),))
        q = rounded_down(whole(times) * n + whole(add - 2), whole(by))
        size = whole(c[0]) * q * q + whole(c[1]) * q * n + whole(c[2]) * q + whole(c[3]) * n + whole(c[4])
        told += is_never_negative(size)
        for at in range(low, low + 12):
            of = (times * at + add - 2) // by
            value = c[0] * of * of + c[1] * of * at + c[2] * of + c[3] * at + c[4]
            assert value >= 0 or not is_never_negative(size), (size, at)
    assert told > 5
