"""Absolute values, signs, choices and conditions of roots and logarithms, which are real in a program."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING

import numpy as np
import pytest
import sympy as sp

from symgrad.calculus.real import Abs, Piecewise, in_real_terms, sign
from symgrad.calculus.terms import ARGUMENT, Entry, derivative_of, softplus
from symgrad.errors import SpecError
from symgrad.graphs.interpret import interpret
from symgrad.pipeline import Stages, stages_of
from symgrad.spec.expand import expand
from symgrad.spec.reader import read
from symgrad.verifier.gradients.differences import Differences
from symgrad.verifier.interpretation.arithmetic import FIFTY_DIGITS

if TYPE_CHECKING:
    from collections.abc import Mapping

X, Y = Entry("x"), Entry("y")
UNARY = (
    *("exp", "log", "log1p", "expm1", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos"),
    *("atan", "erf", "abs", "sign", "sigmoid", "softplus", "logsigmoid", "relu", "silu", "gelu", "hardtanh"),
)
POWERS = ("0.5", "1.5", "-0.5", "2", "3", "-1", "-3", "1/3", "y")
NUMBERS = ("2", "0.3", "-1", "1.5", "softplus(2)", "logsigmoid(0.4)", "sqrt(2)")
RELATIONS = ("<", "<=", ">", ">=")
POINT = {"x": 0.37, "y": 0.83, "z": 1.31}


def formula(random: Random, depth: int) -> str:
    """A scalar formula in which every function may stand in every other, in choices and conditions too."""
    if depth == 0:
        return random.choice([*POINT, *POINT, random.choice(NUMBERS)])
    inner = [formula(random, depth - 1 - (random.random() < 0.3 and depth > 1)) for _ in range(4)]
    kind = random.randrange(8)
    if kind < 3:
        return f"{random.choice(UNARY)}({inner[0]})"
    if kind == 3:
        return f"({inner[0]})**({random.choice(POWERS)})"
    if kind == 4:
        return f"{random.choice(('abs', 'sign', 'abs'))}({inner[0]} - {inner[1]})"
    if kind == 5:
        return f"where({inner[0]} {random.choice(RELATIONS)} {inner[1]}, {inner[2]}, {inner[3]})"
    if kind == 6:
        return f"{random.choice(('max', 'min'))}({inner[0]}, {inner[1]})"
    return f"(({inner[0]}) {random.choice('+-*/')} ({inner[1]}))"


def slopes(text: str) -> tuple[float, Mapping[str, float], Mapping[str, float]] | None:
    """The value, the derived slopes and those by differences in 50 digits; None where it has none."""
    spec = {"name": "real", "dtype": "float64", "inputs": {v: [] for v in POINT}, "equations": {"f": text}}
    model = expand(read({**spec, "loss": "f", "gradients": list(POINT)}))
    program = Stages(model).derived
    point = {name: np.asarray(number) for name, number in POINT.items()}
    found = interpret(program, point, {})
    differences = Differences(model, point, FIFTY_DIGITS)
    value = float(found["f"])
    true = {name: differences.slope(name, np.asarray(1.0)) for name in POINT}
    if not math.isfinite(differences.loss) or any(
        s.is_kink or not math.isfinite(s.low) for s in true.values()
    ):
        return None
    assert value == pytest.approx(differences.loss, rel=1e-9, abs=1e-12)
    derived = {g.of: float(found[g.name]) for g in program.gradients}
    return value, derived, {name: s.low for name, s in true.items()}


@pytest.mark.parametrize("seed", range(5))
def test_random_formulas_have_the_slopes_of_their_differences(seed: int) -> None:
    random, compared = Random(seed), 0
    for _ in range(20):
        text = formula(random, 3)
        try:
            found = slopes(text)
        except SpecError:  # no real number anywhere, or a constant loss
            continue
        if found is not None:
            value, derived, true = found
            scale = max(abs(value), *map(abs, true.values()))
            assert derived == pytest.approx(true, rel=1e-7, abs=1e-10 * scale), text
            compared += 1
    assert compared > 10


CASES = (
    "abs(sqrt(x) - 3)",
    "abs(x**0.5)",
    "abs(x**1.5 - 1)",
    "abs(asin(x) - 1)",
    "abs(log(x) - log(y)) * sign(sqrt(x) - y)",
    "x * softplus(2) * logsigmoid(-0.3)",
    "where(x > 0, softplus(1.5), x) * x",
    "where(1/(x*y) > log1p(z) - 2*x, x, y)",
    "abs(x - hardtanh(z)**(1/3))",
    "where(x > 0, 0, x)**(1/3) + x / max(x, 0)",
    "where(y > log(y) * y, x, 3)",
    "hardtanh(x) ** y",
    "hardtanh(3 * x) ** x",
    "1 / (1 + expm1(x))",
)


@pytest.mark.parametrize("text", CASES)
def test_what_once_made_sympy_ask_for_complex_numbers(text: str) -> None:
    found = slopes(text)
    assert found is not None
    assert found[1] == pytest.approx(found[2], rel=1e-9)


@pytest.mark.parametrize("text", ["sqrt(logsigmoid(x))", "log(-softplus(x))", "(-exp(x))**0.5", "(-2)**x"])
def test_what_is_complex_everywhere_is_refused(text: str) -> None:
    with pytest.raises(SpecError):
        slopes(text)


@pytest.mark.parametrize("function", ["expm1", "log1p", "sqrt", "sinh", "atan"])
def test_a_division_by_a_function_that_is_0_is_refused(function: str) -> None:
    spec = {"name": "none", "inputs": {"x": []}, "equations": {"f": f"x / {function}(x - x)"}, "loss": "f"}
    with pytest.raises(SpecError, match="gives no real number"):
        _ = stages_of(read(spec)).derived


def test_sizes_and_signs_take_known_factors_out() -> None:
    assert Abs(-2 * X**3 * sp.exp(Y)) == 2 * Abs(X) ** 3 * sp.exp(Y)
    assert Abs(X / Y) == Abs(X / Y, evaluate=False)
    assert Abs(X * Y**2) == Y**2 * Abs(X)
    assert Abs(sp.sqrt(X)) == sp.sqrt(X)
    assert Abs(-softplus(X)) == softplus(X)
    assert Abs(X) ** 2 == X**2
    assert sign(-3 * X * sp.exp(Y)) == -sign(X)
    assert sign(sp.Integer(-3)) == -1
    assert in_real_terms(sp.sqrt(X**2) + 1) == Abs(X) + 1


def test_the_slopes_come_from_the_formulas() -> None:
    assert derivative_of(Abs) == sign(ARGUMENT)
    assert derivative_of(sign) == 0


def test_a_choice_of_0_is_not_divided_by_branch_by_branch() -> None:
    choice = Piecewise((0, X > Y), (1, True))
    assert choice / choice == 1
    assert (1 / choice).base == choice
