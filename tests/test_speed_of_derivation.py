"""Depth costs loops, not code: what is compiled does not grow with the number of equal layers.

Times are measured by benchmarks/depth.py; here only the structure that makes them is checked.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from symgrad.pipeline import module_text
from symgrad.spec.reader import read

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

from depth import DEPTHS, deep


def text_of(layers: int) -> str:
    """The emitted module of so many equal layers."""
    return module_text(read(deep(layers)))


@pytest.fixture(scope="module")
def shallow() -> str:
    """Twenty layers."""
    return text_of(20)


@pytest.fixture(scope="module")
def hundred() -> str:
    """A hundred layers."""
    return text_of(100)


def compiled_functions(text: str) -> list[str]:
    """The names of the functions that Numba compiles."""
    functions = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    return [
        f.name for f in functions if any(ast.unparse(d) in ("compiled", "exactly") for d in f.decorator_list)
    ]


def statements(text: str) -> int:
    """The number of statements in compiled functions."""
    names = set(compiled_functions(text))
    bodies = (n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and n.name in names)
    return sum(isinstance(node, ast.stmt) for body in bodies for node in ast.walk(body))


def test_equal_layers_are_loops(hundred: str) -> None:
    for function in ("_forward", "_gradient"):
        body = hundred[hundred.index(f"def {function}(") :]
        body = body[: body.index("\n\n\n")]
        assert "for layer in range" in body
        assert body.count("np.dot(") < 12


def test_depth_adds_no_code(shallow: str, hundred: str) -> None:
    assert len(compiled_functions(hundred)) == len(compiled_functions(shallow))
    assert statements(hundred) == statements(shallow)


def test_the_benchmark_measures_growing_depths() -> None:
    assert list(DEPTHS) == sorted(DEPTHS)
    assert len(deep(DEPTHS[0])["layers"]) == DEPTHS[0] + 1
