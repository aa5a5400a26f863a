"""Equal blocks of a network are written once; each of the others says which names stand for which."""

from __future__ import annotations

import re
from typing import Any

import pytest
from any_letters import of_any_letters

from symgrad.explain.equal_blocks import EqualBlock, Exchange, exchange, with_equal_blocks
from symgrad.notation.typesetting.text import TEXT
from symgrad.notation.visibility import shown_equations
from symgrad.report.derivation import Derivation, derivation_of
from symgrad.spec.reader import read

BLOCK = "transformer_block(h, heads=2, causal=true)"
NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def a_text_model(times: int = 3, last: str = BLOCK, **more: Any) -> dict[str, Any]:
    return {
        "inputs": {"t": {"axes": ["batch", 3], "classes": 5}},
        "targets": {"o": {"axes": ["batch", 3], "classes": 5}},
        "equations": {
            "E": "embedding(t, 4)",
            "h": {"repeat": {"times": times, "start": "positional(E)", "equations": {"h": BLOCK}}},
            "z": last,
            "y": "z @ E_W.T",
        },
        "loss": "softmax_cross_entropy(y, o)",
        **more,
    }


def a_chain() -> dict[str, Any]:
    block = {"residual": ["dense(3)", "layer_norm", "tanh", "dense(4, activation=relu)"]}
    layers = ["dense(4)", {"repeat": {"times": 3, "layers": [block]}}, "dense(2)"]
    return {
        "inputs": {"x": ["batch", 4]},
        "targets": {"t": ["batch", 2]},
        "layers": layers,
        "loss": "mse",
        "train": {"optimizer": "momentum"},
    }


def blocks_of(found: Derivation) -> list[EqualBlock]:
    equations = shown_equations(found.program, found.hidden)
    return [b for b in with_equal_blocks(found.program, equations, found.hidden) if isinstance(b, EqualBlock)]


def terms(formula: str) -> list[str]:
    """What is added and multiplied there, in whatever order names have."""
    return sorted(re.split(r"[\s·]+", formula))


@pytest.mark.parametrize("spec", [a_text_model(), a_chain()])
def test_the_first_block_with_other_names_is_every_other_one(spec: dict[str, Any]) -> None:
    found = derivation_of(read(spec))
    blocks, names = blocks_of(found), found.program.tensor.keys()
    assert len(blocks) >= 2
    for block in blocks:
        told = exchange(block.names)

        def put(name: re.Match[str], told: Any = told) -> str:
            old = name.group()
            if old not in names:
                return old
            number = re.search(r"\d+", old)
            is_alike = number is not None and number.group() == told.old
            return told.others.get(old, re.sub(r"\d+", told.new, old, count=1) if is_alike else old)

        for style in ("matrix", "index"):
            write = getattr(found.writing(TEXT), style)
            for first, equation in zip(block.first, block.equations, strict=True):
                told_alike, there = map(of_any_letters, (NAME.sub(put, write(first)), write(equation)))
                assert terms(told_alike) == terms(there)


def test_every_equation_is_there_once_or_told() -> None:
    found = derivation_of(read(a_text_model()))
    equations = shown_equations(found.program, found.hidden)
    parts = with_equal_blocks(found.program, equations, found.hidden)
    there = [e for part in parts for e in (part.equations if isinstance(part, EqualBlock) else [part])]
    assert there == list(equations)


@pytest.mark.parametrize(
    "last",
    [
        BLOCK,
        "transformer_block(h, heads=1, causal=true)",
        "transformer_block(h, heads=2, causal=true, activation=relu)",
        "transformer_block(h, heads=2, causal=true, hidden=5)",
    ],
)
def test_a_block_that_differs_in_anything_is_written(last: str) -> None:
    """The other one is no part of a repeat; where it is the same, it is told."""
    found = blocks_of(derivation_of(read(a_text_model(1, last))))
    assert bool(found) == (last == BLOCK)


def test_a_parameter_with_numbers_of_its_own_has_an_update_of_its_own() -> None:
    train = {"optimizer": "adam", "per_parameter": {"h2_W": {"learning_rate": 0.5}}, "freeze": ["h1_gamma"]}
    own = derivation_of(read(a_text_model(2, train=train))).text()
    text = derivation_of(read(a_text_model(2))).text()
    assert "  h2_gamma to h2_b_2 as:\n    h1_gamma … h1_b_2\n" in text
    assert "  h2_gamma:\n" in own
    assert "  h2_W:\n" in own
    assert "  h2_beta to h2_beta_2 as:\n    h1_beta … h1_beta_2\n" in own
    assert "  h2_b to z_gamma as:\n    h1_b … h2_gamma\n" in own


def test_short_networks_are_written_whole() -> None:
    layers = [*["dense(4, activation=tanh)"] * 3, "dense(2)"]
    spec = {"inputs": {"x": ["b", 4]}, "targets": {"t": ["b", 2]}, "layers": layers, "loss": "mse"}
    assert not blocks_of(derivation_of(read(spec)))


def test_a_number_that_stays_is_not_exchanged() -> None:
    names = {f"l1_{name}_10": f"l1_{name}_11" for name in "abcd"}
    assert exchange(names) == Exchange("", "", names)
