"""Scalar rewrite rules: each is one exact law, the range it holds on, and an example that is its test.

`fold` applies the rules that are always an improvement. Two change the form of derivatives, which would then
repeat less of the forward pass: they are applied to a user's formulas only, before differentiation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.calculus.matching import (
    to_absolute,
    to_complement,
    to_erfc,
    to_exp,
    to_expm1,
    to_larger_of_zero,
    to_log1p,
    to_log_cosh,
    to_log_sigmoid,
    to_lower_power,
    to_minus_log_cosh,
    to_one_exponential,
    to_one_fraction,
    to_one_plus_tanh,
    to_same_choice,
    to_sigmoid,
    to_sigmoid_of_other_side,
    to_sign,
    to_softplus,
    to_tanh,
    to_tanh_as_quotient,
)
from symgrad.calculus.real import Abs, Piecewise, sign
from symgrad.calculus.terms import ARGUMENT, Entry, delta, erfc, expm1, log1p, logcosh, sigmoid, softplus

if TYPE_CHECKING:
    from collections.abc import Callable

X, Y = ARGUMENT, sp.Symbol("y", real=True)
ALL = "all real v"


@dataclass(frozen=True)
class Rule:
    """`law` holds on `valid`; `apply` gives the new form of one node, or None where it does not match."""

    name: str
    law: str
    valid: str
    apply: Callable[[sp.Expr], sp.Expr | None]
    example: tuple[sp.Expr, sp.Expr]


Applied: TypeAlias = tuple[tuple[str, sp.Expr, sp.Expr], ...]
"""Applications of rules: name, before, after."""


RULES: tuple[Rule, ...] = (
    Rule("softplus", "log(1 + exp(v)) = softplus(v)", ALL, to_softplus, (sp.log(1 + sp.exp(X)), softplus(X))),
    Rule("log-sigmoid", "log σ(v) = -softplus(-v)", ALL, to_log_sigmoid, (sp.log(sigmoid(X)), -softplus(-X))),
    Rule(
        "log(1 - tanh²)",
        "log(1 - tanh(v)²) = -2 logcosh(v)",
        ALL,
        to_minus_log_cosh,
        (sp.log(1 - sp.tanh(X) ** 2), -2 * logcosh(X)),
    ),
    Rule("log1p", "log(1 + v) = log1p(v)", "v > -1", to_log1p, (sp.log(1 + X**2), log1p(X**2))),
    Rule("sigmoid", "1/(1 + exp(-v)) = σ(v)", ALL, to_sigmoid, (1 / (1 + sp.exp(-X)), sigmoid(X))),
    Rule(
        "sigmoid of v",
        "exp(v) σ(-v) = σ(v)",
        ALL,
        to_sigmoid_of_other_side,
        (sp.exp(X) * sigmoid(-X), sigmoid(X)),
    ),
    Rule(
        "tanh",
        "(exp(v) - exp(-v))/(exp(v) + exp(-v)) = tanh(v)",
        ALL,
        to_tanh,
        ((sp.exp(X) - sp.exp(-X)) / (sp.exp(X) + sp.exp(-X)), sp.tanh(X)),
    ),
    Rule(
        "1 + tanh",
        "1 + tanh(v) = 2σ(2v)",
        ALL,
        to_one_plus_tanh,
        (1 + sp.tanh(X), 2 * sigmoid(2 * X)),
    ),
    Rule(
        "tanh of sinh and cosh",
        "sinh(v)/cosh(v) = tanh(v)",
        ALL,
        to_tanh_as_quotient,
        (sp.sinh(X) / sp.cosh(X), sp.tanh(X)),
    ),
    Rule("log cosh", "log cosh(v) = logcosh(v)", ALL, to_log_cosh, (sp.log(sp.cosh(X)), logcosh(X))),
    Rule(
        "power",
        "v^w / v = v^(w - 1)",
        "v ≠ 0",
        to_lower_power,
        (X**Y / X, X ** (Y - 1)),
    ),
    Rule("expm1", "exp(v) - 1 = expm1(v)", ALL, to_expm1, (sp.exp(X) - 1, expm1(X))),
    Rule("exp", "1 + expm1(v) = exp(v)", ALL, to_exp, (1 + expm1(X), sp.exp(X))),
    Rule("erfc", "1 + erf(v) = erfc(-v)", ALL, to_erfc, (1 + sp.erf(X), erfc(-X))),
    Rule(
        "max",
        "(v + |v|)/2 = max(v, 0)",
        ALL,
        to_larger_of_zero,
        (X / 2 + Abs(X) / 2, Piecewise((0, X <= 0), (X, True))),
    ),
    Rule("absolute value", "v sign(v) = |v|", ALL, to_absolute, (X * sign(X), Abs(X))),
    Rule(
        "one fraction",
        "1/(1 + v) - v/(1 + v)² = 1/(1 + v)²",
        "1 + v ≠ 0",
        to_one_fraction,
        (1 / (1 + X**2) - X**2 / (1 + X**2) ** 2, (1 + X**2) ** -2),
    ),
    Rule(
        "sign",
        "where(v > 0, 1, where(v < 0, -1, 0)) = sign(v)",
        ALL,
        to_sign,
        (Piecewise((1, X > 0), (-1, X < 0), (0, True)), sign(X)),
    ),
    Rule(
        "same choice",
        "where(c, v, v) = v",
        ALL,
        to_same_choice,
        (Piecewise((X, X > 0), (X, True), evaluate=False), X),
    ),
)
COMPLEMENT = Rule("complement", "1 - σ(v) = σ(-v)", ALL, to_complement, (1 - sigmoid(X), sigmoid(-X)))
QUOTIENT = Rule(
    "quotient of exponentials",
    "exp(v)/exp(w) = exp(v - w)",
    ALL,
    to_one_exponential,
    (sp.exp(X) * sp.exp(-Y), sp.exp(X - Y)),
)
OF_FORMULAS = (COMPLEMENT, QUOTIENT)


def fold(expr: sp.Expr) -> sp.Expr:
    """The expression in its simplest named form."""
    return rewrite(expr)[0]


@cache
def rewrite(expr: sp.Expr, complement: bool = False) -> tuple[sp.Expr, Applied]:
    """The expression with the rules applied from the inside out until none matches, and which were."""
    if not expr.args or isinstance(expr, Entry | delta):
        return expr, ()
    if isinstance(expr, sp.Abs):
        expr = Abs(expr.args[0])
    parts = [rewrite(a, complement) for a in expr.args]
    applied: Applied = tuple(step for _, steps in parts for step in steps)
    if any(new != old for (new, _), old in zip(parts, expr.args, strict=True)):
        expr = expr.func(*(new for new, _ in parts))
    for rule in (*RULES, *OF_FORMULAS) if complement else RULES:
        after = rule.apply(expr)
        if after is not None and after != expr:
            again, more = rewrite(after, complement)
            return again, (*applied, (rule.name, expr, after), *more)
    return expr, applied
