"""Sums whose value is known: centred values sum to 0, a softmax to 1, one value to itself.

Σ_j (x_j - μ) is 0 where μ is the mean of x, whatever stands before the bracket that does not depend on j.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.contraction import two_factors
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.terms import Entry, entries, indices_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.program import Equation, Loop, Program

CENTRED, SOFTMAX = "Σ_j (v_j - mean v) = 0", "Σ_j softmax(v)_j = 1"


def resolve_known_sums(program: Program) -> Program:
    """The program without what is summed to 0, with 1 for a sum of a softmax, and without sums of one term."""
    editor = ProgramEditor(program)
    for equation in program.equations:
        if program.tensor[equation.target].kind == "cotangent":
            equation = _without_sum_of_one(equation)
        changed = equation
        if equation.reduction == "sum" and not equation.scatters:
            for term in sp.Add.make_args(equation.body):
                value = _known(term, equation, program.definition)
                if value is not None:
                    after = changed.body - term + value
                    editor.record(SOFTMAX if value else CENTRED, equation.target, term, value)
                    changed = changed.with_body(after)
        editor.add(changed)
    return editor.program()


def _without_sum_of_one(equation: Equation) -> Equation:
    """The one term of a sum over axes of one value; a product of matrices stays one."""
    sizes = [loop.axis.size for loop in equation.bound]
    if equation.reduction != "sum" or equation.scatters or {*sizes} != {1} or two_factors(equation):
        return equation
    body = equation.body.xreplace({loop.index: sp.Integer(0) for loop in equation.bound})
    return replace(equation, body=body, loops=equation.free, reduction="none")


def _known(term: sp.Expr, equation: Equation, definition: Mapping[str, Equation]) -> sp.Expr | None:
    """What has the same sum as a term and does not depend on one of the indices any more."""
    for loop in equation.bound:
        varying = [f for f in sp.Mul.make_args(term) if loop.index in indices_in(f)]
        total = _total(varying[0], loop, definition) if len(varying) == 1 else None
        if total is not None:
            return term / varying[0] * total / loop.axis.extent
    return None


def _total(expr: sp.Expr, loop: Loop, definition: Mapping[str, Equation]) -> sp.Expr | None:
    """0 or 1, where that is the sum of an expression over an index."""
    if _sums_to_one(expr, loop, definition):
        return sp.Integer(1)
    if not expr.is_Add:
        return None
    spelled = sp.expand(_spelled(expr, definition))
    for mean in entries(spelled):
        total = _by_sum(spelled, mean, loop, definition)
        if total is not None and sp.expand(total) == 0:
            return sp.Integer(0)
    return None


def _by_sum(expr: sp.Expr, known: Entry, loop: Loop, definition: Mapping[str, Equation]) -> sp.Expr | None:
    """Σ expr as k·S + J·r, where S = Σ f is a known sum over J values and expr = k·f + r; else None."""
    found = definition.get(known.tensor)
    if found is None or found.reduction != "sum" or found.scatters or len(found.bound) != 1:
        return None
    (bound,) = found.bound
    if not bound.axis.fits(loop.axis):
        return None
    places = {bound.index: loop.index, **dict(zip(found.indices, known.indices, strict=True))}
    summed = sp.expand(_spelled(found.body.xreplace(places), definition))
    first = next((t for t in sp.Add.make_args(summed) if loop.index in indices_in(t)), None)
    if first is None:
        return None
    number, core = first.as_coeff_Mul()
    share = expr.coeff(core) / number
    rest = sp.expand(expr - share * summed)
    if share == 0 or loop.index in indices_in(share) | indices_in(rest):
        return None
    return share * known + loop.axis.extent * rest


def _spelled(expr: sp.Expr, definition: Mapping[str, Equation]) -> sp.Expr:
    """The expression with products of numbers and one entry, as a mean is one, in place of their names."""
    found = {e: scaled for e in entries(expr) if (scaled := _scaled(e, definition)) is not None}
    return expr.xreplace(found) if found else expr


def _scaled(entry: Entry, definition: Mapping[str, Equation]) -> sp.Expr | None:
    made = definition.get(entry.tensor)
    if made is None or not made.is_elementwise or made.scatters:
        return None
    factors = [f for f in sp.Mul.make_args(made.body) if f.atoms(Entry)]
    if len(factors) != 1 or not isinstance(factors[0], Entry):
        return None
    body = made.at(entry.indices)
    inner = {e: scaled for e in entries(body) if (scaled := _scaled(e, definition)) is not None}
    return body.xreplace(inner)


def _sums_to_one(expr: sp.Expr, loop: Loop, definition: Mapping[str, Equation]) -> bool:
    """Whether it is exp(v - logsumexp v) over this index, or a tensor of these values."""
    made = definition.get(expr.tensor) if isinstance(expr, Entry) else None
    if made is not None and made.is_elementwise and not made.scatters:
        expr = made.at(expr.indices)
    if not isinstance(expr, sp.exp) or not expr.args[0].is_Add:
        return False
    for logarithm in entries(expr.args[0]):
        found = definition.get(logarithm.tensor)
        if found is None or found.reduction != "logsumexp" or len(found.bound) != 1:
            continue
        (bound,) = found.bound
        places = {bound.index: loop.index, **dict(zip(found.indices, logarithm.indices, strict=True))}
        if bound.axis.fits(loop.axis) and expr.args[0] == found.body.xreplace(places) - logarithm:
            return loop.index not in {s for i in logarithm.indices for s in i.free_symbols}
    return False
