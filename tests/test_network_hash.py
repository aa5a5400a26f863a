"""The hash of a network changes with what it computes, and with nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from symgrad.spec.expand import expand
from symgrad.spec.expansion.network_hash import network_sha256
from symgrad.spec.reader import read

SPEC: dict[str, Any] = {
    "name": "net",
    "inputs": {"x": ["n", 3]},
    "targets": {"t": {"axes": ["n"], "classes": 2}},
    "functions": {"bent(x, k)": "x / (k + abs(x))"},
    "constants": {"c": 2.5},
    "parameters": {"W": [3, 4], "V": [4, 2]},
    "equations": {"h": "bent(x @ W, 1)", "u": "c * h", "z": "u @ V"},
    "outputs": ["z"],
    "loss": "mean(softmax_cross_entropy(z, t))",
}
SAME: list[dict[str, Any]] = [
    {"name": "other"},
    {"dtype": "float64"},
    {"train": {"epochs": 3, "optimizer": "adam(0.1)", "standardize": True}},
    {"loss": "mean(softmax_cross_entropy(z, t)) + 0.1 * sum(W**2)"},
    {"parameters": {"W": {"axes": [3, 4], "init": "zeros"}, "V": [4, 2]}},
    {"equations": {**SPEC["equations"], "penalty": "sum(V**2)"}},
    {"functions": {**SPEC["functions"], "unused(x)": "x**2"}},
]
OTHER: list[dict[str, Any]] = [
    {"inputs": {"x": ["n", 5]}, "parameters": {"W": [5, 4], "V": [4, 2]}},
    {"parameters": {"W": [3, 6], "V": [6, 2]}},
    {"functions": {"bent(x, k)": "x / (k + 2*abs(x))"}},
    {"constants": {"c": 2.25}},
    {"equations": {**SPEC["equations"], "h": "bent(x @ W, 2)"}},
    {"equations": {**SPEC["equations"], "h": "tanh(x @ W)"}},
    {"outputs": ["z", "h"]},
]


def hash_of(spec: Any) -> str:
    return network_sha256(expand(read(spec)))


@pytest.mark.parametrize("change", SAME)
def test_what_is_no_part_of_the_network_does_not_change_its_hash(change: dict[str, Any]) -> None:
    assert hash_of(SPEC | change) == hash_of(SPEC)


@pytest.mark.parametrize("change", OTHER)
def test_another_network_has_another_hash(change: dict[str, Any]) -> None:
    assert hash_of(SPEC | change) != hash_of(SPEC)


def test_a_comment_and_the_order_of_independent_equations_do_not_count() -> None:
    text = (
        "inputs: {x: [n, 3]}\nparameters: {A: [3], B: [3]}\nequations:\n  a: x @ A\n  b: x @ B\n  y: a * b\n"
    )
    turned = text.replace("  a: x @ A\n  b: x @ B\n", "  b: x @ B\n  a: x @ A # first\n")
    assert hash_of(text) == hash_of(turned) != hash_of(text.replace("a * b", "a / b"))


def test_it_is_the_same_everywhere() -> None:
    """A hash that changed would part people from their checkpoints."""
    assert hash_of(SPEC)[:16] == "40bff0dcb0ca9ea2"
