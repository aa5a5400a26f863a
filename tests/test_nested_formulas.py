"""Formulas nested in formulas: the time to derive them grows with their depth, not exponentially."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from symgrad.calculus.differentiate import differentiate
from symgrad.calculus.simplify import simplify
from symgrad.elaborate.elaborate import elaborate
from symgrad.pipeline import module_text
from symgrad.spec.expand import expand
from symgrad.spec.reader import read

if TYPE_CHECKING:
    from symgrad.calculus.program import Program

SECONDS = 10.0
"""Far above what a loaded machine needs; the exponential times were minutes and hours."""


def nested(formula: str, depth: int) -> str:
    """A formula of `_` put into itself; # is another parameter at every depth."""
    text = "x"
    for level in range(depth):
        text = formula.replace("_", f"({text})").replace("#", f"p[{level}]")
    return text


def spec_of(equations: dict[str, str], loss: str, parameters: int) -> dict[str, object]:
    """A spec in one number x and one vector p of parameters."""
    return {
        "dtype": "float64",
        "inputs": {"x": []},
        "parameters": {"p": [parameters]},
        "equations": equations,
        "loss": loss,
    }


@pytest.mark.parametrize(
    ("formula", "depth"),
    [("1/(1 + exp(_ - #))", 12), ("1/(1 + _*#)", 10), ("_/(1 + _**2) + #", 4), ("sin(_)*cos(_ + #)", 5)],
)
def test_derivation_is_not_exponential(formula: str, depth: int) -> None:
    spec = read(spec_of({"y": nested(formula, depth)}, "y", depth))
    began = time.perf_counter()
    assert f"p[{depth - 1}]" in module_text(spec)
    assert time.perf_counter() - began < SECONDS


def simplified(equations: dict[str, str], loss: str) -> Program:
    """The simplified program of such a spec with its gradient."""
    return simplify(differentiate(elaborate(expand(read(spec_of(equations, loss, 3)))), ["p"]))


def test_a_known_value_is_not_put_for_that_of_another_entry() -> None:
    """exp(p[1]) says nothing of exp(p[2])."""
    program = simplified({"a": "exp(p[1])", "b": "exp(p[2])*x + exp(p[1])"}, "a*b")
    assert str(program.definition["b"].body) in ("exp(p[2])*x + a", "x*exp(p[2]) + a", "a + exp(p[2])*x")
