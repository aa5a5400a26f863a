"""Sums that need no adding up for the deltas in them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import Entry, delta, indices_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from symgrad.calculus.program import Equation, Loop, Reduction, Tensor

LAW = "Σ_j δ(t, j) f(j) = f(t)"


def with_deltas_decided(body: sp.Expr, single: Iterable[sp.Symbol]) -> sp.Expr:
    """The body with its deltas decided where they can be as `single` are indices of axes of size 1."""
    zeros = dict.fromkeys(single, sp.Integer(0))
    decided = {d: d.xreplace(zeros) for d in body.atoms(delta)} if zeros else {}
    found = {d: value for d, value in decided.items() if value.is_Integer}
    return body.xreplace(found) if found else body


def behind_deltas(term: sp.Expr) -> sp.Expr:
    """`δ(i, j)·P[i]` for `δ(j, i)·P[j]`: behind a delta of two indices one of them is enough."""
    for factor in sp.Mul.make_args(term):
        if isinstance(factor, delta) and all(a.is_Symbol for a in factor.args):
            first, second = sorted(factor.args, key=str)
            term = (term / factor).xreplace({second: first}) * delta(first, second)
    return term


def resolve_sum(equation: Equation, tensors: Mapping[str, Tensor]) -> Equation:
    """Σ_j δ(t, j) f(j) = f(t) and Σ_j c = J c, for every index that is gone then.

    A label that may mean none is no place of f: there f must not depend on j.
    """
    if equation.reduction != "sum" or equation.scatters:
        return equation
    for loop in equation.bound:
        body = _summed(equation.body, loop, tensors)
        if body is None and equation.body.has(delta):
            body = _summed(sp.expand_mul(equation.body), loop, tensors)
        if body is not None:
            loops = tuple(other for other in equation.loops if other != loop)
            reduction: Reduction = "sum" if len(equation.bound) > 1 else "none"
            return resolve_sum(replace(equation, body=body, loops=loops, reduction=reduction), tensors)
    return equation


def _summed(body: sp.Expr, loop: Loop, tensors: Mapping[str, Tensor]) -> sp.Expr | None:
    total = sp.Integer(0)
    for term in sp.Add.make_args(body):
        value = _summed_term(term, loop, tensors)
        if value is None:
            return None
        total += value
    return total


def _summed_term(term: sp.Expr, loop: Loop, tensors: Mapping[str, Tensor]) -> sp.Expr | None:
    if loop.index not in indices_in(term):
        return loop.axis.extent * term
    for factor in sp.Mul.make_args(term):
        if not isinstance(factor, delta) or factor.args[1] != loop.index:
            continue
        label, rest = factor.args[0], term / factor
        if loop.index in indices_in(rest) and may_mean_none(label, tensors):
            continue
        return rest.xreplace({loop.index: label})
    return None


def may_mean_none(label: sp.Expr, tensors: Mapping[str, Tensor]) -> bool:
    """Whether a label's number may be that of no entry."""
    return isinstance(label, Entry) and tensors[label.tensor].ignore is not None
