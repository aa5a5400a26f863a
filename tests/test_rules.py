"""Every scalar rule: its example, and its law at random points in high precision."""

from __future__ import annotations

import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from symgrad.calculus.real import Abs, sign
from symgrad.calculus.rules import OF_FORMULAS, RULES, Rule, Y, fold, rewrite
from symgrad.calculus.terms import ARGUMENT, derivative_of, erfc, expm1, log1p, logcosh, sigmoid, softplus

X = ARGUMENT
ALL_RULES = (*RULES, *OF_FORMULAS)


def _spelled_out(expr: sp.Expr) -> sp.Expr:
    """Named functions replaced by the formulas that define them."""
    for named in (sigmoid, softplus, log1p, expm1, erfc, logcosh):
        expr = expr.replace(named, named.formula)
    return expr


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda r: r.name)
def test_example(rule: Rule) -> None:
    before, after = rule.example
    assert rule.apply(before) == after


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda r: r.name)
def test_rule_leaves_its_own_result_alone(rule: Rule) -> None:
    after = rule.example[1]
    assert rewrite(after, complement=True)[0] == after


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda r: r.name)
@settings(max_examples=25, derandomize=True, deadline=None)
@given(value=st.fractions(-5, 5, max_denominator=97))
def test_law_holds_exactly(rule: Rule, value: sp.Rational) -> None:
    assume(value != 0 or rule.valid != "v ≠ 0")
    numbers = {X: sp.Rational(value), Y: sp.Rational(value) ** 2 + 1}
    before, after = (_spelled_out(side).subs(numbers) for side in rule.example)
    assert abs(sp.N(before - after, 40)) < sp.Float("1e-35")


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (2 * sp.exp(X) - 2, 2 * expm1(X)),
        (1 / (1 + sp.exp(X)), sigmoid(-X)),
        (X / (1 + sp.exp(-X)), X * sigmoid(X)),
        (sp.log(1 / (1 + sp.exp(-X))), -softplus(-X)),
        (X * (1 + sp.erf(X / sp.sqrt(2))) / 2, X * erfc(-X / sp.sqrt(2)) / 2),
        (sp.log(1 + sp.exp(-3 * X)), softplus(-3 * X)),
        (sp.log(2 + sp.exp(X)), sp.log(2 + sp.exp(X))),
        (sp.exp(X) - 2, sp.exp(X) - 2),
        (1 - sigmoid(X), 1 - sigmoid(X)),
        (sp.log(sp.cosh(2 * X - 1)), logcosh(2 * X - 1)),
        (3 * sp.sinh(-X) / sp.cosh(X), -3 * sp.tanh(X)),
        ((1 + sp.exp(X)) ** sp.Rational(-1, 2), sp.sqrt(sigmoid(-X))),
        (sp.Rational(1, 2) + sp.tanh(X / 2) / 2, sigmoid(X)),
        (3 * sp.tanh(X) - 3, -6 * sigmoid(-2 * X)),
        (2 - sp.tanh(X), 2 - sp.tanh(X)),
        (X**2 * sign(X), X * Abs(X)),
        (sp.diff(X / (1 + Abs(X)), X), (1 + Abs(X)) ** -2),
        (sp.diff(X / sp.sqrt(1 + X**2), X), (1 + X**2) ** sp.Rational(-3, 2)),
        (sp.diff(X**2 / (3 + X**2), X), 6 * X / (3 + X**2) ** 2),
        (1 - X**2 / (1 + X**2), 1 / (1 + X**2)),
        (5 + sp.diff(X / (1 + Abs(X)), X), 5 + (1 + Abs(X)) ** -2),
        (2 - X**2 / (1 + X**2), 2 - X**2 / (1 + X**2)),
        (1 / (1 + X) + X**2 / (1 + X) ** 2, 1 / (1 + X) + X**2 / (1 + X) ** 2),
    ],
)
def test_fold(formula: sp.Expr, expected: sp.Expr) -> None:
    assert fold(formula) == expected


def test_complement_is_for_users_formulas_only() -> None:
    assert rewrite(3 - 3 * sigmoid(X), complement=True)[0] == 3 * sigmoid(-X)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (sigmoid, sigmoid(X) * (1 - sigmoid(X))),
        (softplus, sigmoid(X)),
        (expm1, sp.exp(X)),
        (log1p, 1 / (1 + X)),
    ],
)
def test_derivatives_of_named_functions_come_from_their_formulas(function: type, expected: sp.Expr) -> None:
    assert derivative_of(function) == expected


def test_applications_are_reported() -> None:
    _, applied = rewrite(X * sp.log(1 + sp.exp(X)))
    assert applied == (("softplus", sp.log(1 + sp.exp(X)), softplus(X)),)
