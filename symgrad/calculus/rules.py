"""Scalar rewrite rules: each is one exact law, the range it holds on, and an example that is its test.

`fold` applies the rules that are always an improvement. `complement` changes the form of the logistic
function's derivative, so it is applied to a user's formulas only, before differentiation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.calculus.terms import ARGUMENT, Entry, delta, erfc, expm1, log1p, logcosh, sigmoid, softplus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

X = ARGUMENT
MAX_STEP = 4
"""How far apart the powers of a denominator may be for its fractions to be brought together."""
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


def _numbers_with(add: sp.Expr, function: type[sp.Basic]) -> Iterator[tuple[sp.Expr, sp.Expr, sp.Expr]]:
    """(k, c, v) for every number k and term c*function(v) of a sum, c a number."""
    if not add.is_Add:
        return
    number, rest = add.as_coeff_Add()
    if not number:
        return
    for term in sp.Add.make_args(rest):
        factor, core = term.as_coeff_Mul()
        if isinstance(core, function):
            yield number, factor, core.args[0]


def _sum_with_exp(base: sp.Expr) -> sp.Expr | None:
    """v where `base` is 1 + exp(v)."""
    for number, factor, v in _numbers_with(base, sp.exp):
        if number == 1 and factor > 0 and len(base.args) == 2:
            return v + sp.log(factor)
    return None


def _softplus(node: sp.Expr) -> sp.Expr | None:
    v = _sum_with_exp(node.args[0]) if isinstance(node, sp.log) else None
    return softplus(v) if v is not None else None


def _log1p(node: sp.Expr) -> sp.Expr | None:
    if not isinstance(node, sp.log) or not node.args[0].is_Add:
        return None
    number, rest = node.args[0].as_coeff_Add()
    return log1p(rest) if number == 1 else None


def _log_sigmoid(node: sp.Expr) -> sp.Expr | None:
    if isinstance(node, sp.log) and isinstance(node.args[0], sigmoid):
        return -softplus(-node.args[0].args[0])
    return None


def _sigmoid(node: sp.Expr) -> sp.Expr | None:
    if node.is_Pow and node.exp.is_real and node.exp.could_extract_minus_sign():
        v = _sum_with_exp(node.base)
        return sigmoid(-v) ** -node.exp if v is not None else None
    return None


def _sigmoid_of_other_side(node: sp.Expr) -> sp.Expr | None:
    for factor in node.args if node.is_Mul else ():
        base, power = factor.as_base_exp()
        if not isinstance(base, sigmoid) or not power.is_Rational or power < 1:
            continue
        v = -base.args[0]
        if sp.exp(v) in node.args:
            return node / sp.exp(v) / base * sigmoid(v)
    return None


def _tanh(node: sp.Expr) -> sp.Expr | None:
    for factor in node.args if node.is_Mul else ():
        exponentials = sp.Add.make_args(1 / factor)
        if len(exponentials) != 2 or not all(isinstance(e, sp.exp) for e in exponentials):
            continue
        v, other = (e.args[0] for e in exponentials)
        difference = sp.exp(v) - sp.exp(other)
        for sign in (1, -1):
            if v == -other and sign * difference in node.args:
                return node / factor / (sign * difference) * sign * sp.tanh(v)
    return None


def _one_plus_tanh(node: sp.Expr) -> sp.Expr | None:
    for number, factor, v in _numbers_with(node, sp.tanh):
        if abs(factor) == abs(number):
            return node - number - factor * sp.tanh(v) + 2 * number * sigmoid(2 * factor / number * v)
    return None


def _expm1(node: sp.Expr) -> sp.Expr | None:
    for number, factor, v in _numbers_with(node, sp.exp):
        if factor == -number:
            return node - number - factor * sp.exp(v) + factor * expm1(v)
    return None


def _complement(node: sp.Expr) -> sp.Expr | None:
    for number, factor, v in _numbers_with(node, sigmoid):
        if factor == -number:
            return node - number - factor * sigmoid(v) + number * sigmoid(-v)
    return None


def _log_cosh(node: sp.Expr) -> sp.Expr | None:
    is_match = isinstance(node, sp.log) and isinstance(node.args[0], sp.cosh)
    return logcosh(node.args[0].args[0]) if is_match else None


def _tanh_as_quotient(node: sp.Expr) -> sp.Expr | None:
    for factor in node.args if node.is_Mul else ():
        base, power = factor.as_base_exp()
        if isinstance(base, sp.cosh) and power.is_Integer and power < 0:
            v = base.args[0]
            if sp.sinh(v) in node.args:
                return node * base / sp.sinh(v) * sp.tanh(v)
    return None


def _erfc(node: sp.Expr) -> sp.Expr | None:
    for number, factor, v in _numbers_with(node, sp.erf):
        if abs(factor) == abs(number):
            sign = -1 if factor == number else 1
            return node - number - factor * sp.erf(v) + number * erfc(sign * v)
    return None


def _absolute(node: sp.Expr) -> sp.Expr | None:
    for factor in node.args if node.is_Mul else ():
        if not isinstance(factor, sp.sign):
            continue
        v = factor.args[0]
        powers = [other.as_base_exp() for other in node.args]
        if any(base == v and power.is_Integer and power > 0 for base, power in powers):
            return node / factor / v * sp.Abs(v)
    return None


def _one_fraction(node: sp.Expr) -> sp.Expr | None:
    """Terms over powers of one sum, brought together where all but one product cancels above."""
    over: dict[sp.Expr, list[tuple[sp.Expr, sp.Expr]]] = {}
    for term in node.args if node.is_Add else ():
        for factor in sp.Mul.make_args(term):
            base, power = factor.as_base_exp()
            if base.is_Add and power.is_Rational and power < 0:
                over.setdefault(base, []).append((power, term))
    for base, terms in over.items():
        lowest = min(power for power, _ in terms)
        steps = [power - lowest for power, _ in terms]
        if not any(steps) or not all(step.is_Integer and step <= MAX_STEP for step in steps):
            continue
        above = sp.expand(sp.Add(*(t / base**p * base**s for (p, t), s in zip(terms, steps, strict=True))))
        if not above.is_Add:
            return node - sp.Add(*(t for _, t in terms)) + above * base**lowest
    return None


def _larger_of_zero(node: sp.Expr) -> sp.Expr | None:
    """c*v + c*|v| is 2c times max(v, 0)."""
    for term in sp.Add.make_args(node) if node.is_Add else ():
        factor, core = term.as_coeff_Mul()
        if not isinstance(core, sp.Abs) or core.args[0].is_Add:
            continue
        v = core.args[0]
        rest = node - term - factor * v
        if len(sp.Add.make_args(rest)) == len(node.args) - 2 or not rest:
            return rest + 2 * factor * sp.Piecewise((0, v <= 0), (v, True))
    return None


def _flat_kink(node: sp.Expr) -> sp.Expr | None:
    return sp.Integer(0) if isinstance(node, sp.DiracDelta) else None


def _same_choice(node: sp.Expr) -> sp.Expr | None:
    """A choice between equals, and a product with a choice of zeros."""
    if isinstance(node, sp.Piecewise) and len({value for value, _ in node.args}) == 1:
        return node.args[0][0]
    return None


RULES: tuple[Rule, ...] = (
    Rule("softplus", "log(1 + exp(v)) = softplus(v)", ALL, _softplus, (sp.log(1 + sp.exp(X)), softplus(X))),
    Rule("log-sigmoid", "log σ(v) = -softplus(-v)", ALL, _log_sigmoid, (sp.log(sigmoid(X)), -softplus(-X))),
    Rule("log1p", "log(1 + v) = log1p(v)", "v > -1", _log1p, (sp.log(1 + X**2), log1p(X**2))),
    Rule("sigmoid", "1/(1 + exp(-v)) = σ(v)", ALL, _sigmoid, (1 / (1 + sp.exp(-X)), sigmoid(X))),
    Rule(
        "sigmoid of v",
        "exp(v) σ(-v) = σ(v)",
        ALL,
        _sigmoid_of_other_side,
        (sp.exp(X) * sigmoid(-X), sigmoid(X)),
    ),
    Rule(
        "tanh",
        "(exp(v) - exp(-v))/(exp(v) + exp(-v)) = tanh(v)",
        ALL,
        _tanh,
        ((sp.exp(X) - sp.exp(-X)) / (sp.exp(X) + sp.exp(-X)), sp.tanh(X)),
    ),
    Rule(
        "1 + tanh",
        "1 + tanh(v) = 2σ(2v)",
        ALL,
        _one_plus_tanh,
        (1 + sp.tanh(X), 2 * sigmoid(2 * X)),
    ),
    Rule(
        "tanh of sinh and cosh",
        "sinh(v)/cosh(v) = tanh(v)",
        ALL,
        _tanh_as_quotient,
        (sp.sinh(X) / sp.cosh(X), sp.tanh(X)),
    ),
    Rule("log cosh", "log cosh(v) = logcosh(v)", ALL, _log_cosh, (sp.log(sp.cosh(X)), logcosh(X))),
    Rule("expm1", "exp(v) - 1 = expm1(v)", ALL, _expm1, (sp.exp(X) - 1, expm1(X))),
    Rule("erfc", "1 + erf(v) = erfc(-v)", ALL, _erfc, (1 + sp.erf(X), erfc(-X))),
    Rule(
        "max",
        "(v + |v|)/2 = max(v, 0)",
        ALL,
        _larger_of_zero,
        (X / 2 + sp.Abs(X) / 2, sp.Piecewise((0, X <= 0), (X, True))),
    ),
    Rule("absolute value", "v sign(v) = |v|", ALL, _absolute, (X * sp.sign(X), sp.Abs(X))),
    Rule(
        "one fraction",
        "1/(1 + v) - v/(1 + v)² = 1/(1 + v)²",
        "1 + v ≠ 0",
        _one_fraction,
        (1 / (1 + X**2) - X**2 / (1 + X**2) ** 2, (1 + X**2) ** -2),
    ),
    Rule("kink", "the slope of sign is 0, at 0 too", ALL, _flat_kink, (sp.DiracDelta(X), sp.Integer(0))),
    Rule(
        "same choice",
        "where(c, v, v) = v",
        ALL,
        _same_choice,
        (sp.Piecewise((X, X > 0), (X, True), evaluate=False), X),
    ),
)
COMPLEMENT = Rule("complement", "1 - σ(v) = σ(-v)", ALL, _complement, (1 - sigmoid(X), sigmoid(-X)))


def fold(expr: sp.Expr) -> sp.Expr:
    """The expression in its simplest named form."""
    return rewrite(expr)[0]


@cache
def rewrite(expr: sp.Expr, complement: bool = False) -> tuple[sp.Expr, Applied]:
    """The expression with the rules applied from the inside out until none matches, and which were."""
    if not expr.args or isinstance(expr, Entry | delta):
        return expr, ()
    parts = [rewrite(a, complement) for a in expr.args]
    applied: Applied = tuple(step for _, steps in parts for step in steps)
    if any(new != old for (new, _), old in zip(parts, expr.args, strict=True)):
        expr = expr.func(*(new for new, _ in parts))
    for rule in (*RULES, COMPLEMENT) if complement else RULES:
        after = rule.apply(expr)
        if after is not None and after != expr:
            again, more = rewrite(after, complement)
            return again, (*applied, (rule.name, expr, after), *more)
    return expr, applied
