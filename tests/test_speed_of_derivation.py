"""Depth costs loops, not code: what is compiled does not grow with the number of equal layers.

Times are measured by the benchmarks; here only the structure that makes them is checked.
"""

from __future__ import annotations

import ast

import pytest
from module_use import compiled_functions

from symgrad.pipeline import module_text
from symgrad.spec.reader import read


def text_of(layers: int) -> str:
    """The emitted module of so many equal layers."""
    spec = {
        "inputs": {"x": ["batch", 64]},
        "targets": {"y": {"axes": ["batch"], "classes": 10}},
        "layers": ["dense(64, activation=relu)"] * layers + ["dense(10)"],
        "loss": "softmax_cross_entropy",
        "train": {"optimizer": "sgd(learning_rate=0.1)"},
    }
    return module_text(read(spec))


@pytest.fixture(scope="module")
def shallow() -> str:
    """Twenty layers."""
    return text_of(20)


@pytest.fixture(scope="module")
def hundred() -> str:
    """A hundred layers."""
    return text_of(100)


def statements(text: str) -> int:
    """The number of statements in compiled functions."""
    names = compiled_functions(ast.parse(text))
    bodies = (n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and n.name in names)
    return sum(isinstance(node, ast.stmt) for body in bodies for node in ast.walk(body))


def test_equal_layers_are_loops(hundred: str) -> None:
    for function in ("_forward", "_backward"):
        body = hundred[hundred.index(f"def {function}(") :]
        body = body[: body.index("\n\n\n")]
        assert "for layer in range" in body
        assert 0 < body.count("gemm(") < 12


def test_depth_adds_no_code(shallow: str, hundred: str) -> None:
    assert len(compiled_functions(ast.parse(hundred))) == len(compiled_functions(ast.parse(shallow))) > 5
    assert statements(hundred) == statements(shallow)
