"""The derivatives of one equation's body with respect to the entries in it, by SymPy."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.real import Piecewise
from symgrad.calculus.terms import CACHE_SIZE, Entry, float_entries, in_terms_of_value

if TYPE_CHECKING:
    from symgrad.calculus.program import Equation


def derivatives(equation: Equation) -> list[tuple[Entry, sp.Expr]]:
    """The derivative of the body with respect to each entry in it, where it helps in terms of its value."""
    read = float_entries(equation.body)
    stand_ins = {entry: sp.Symbol(f"_e{number}", real=True) for number, entry in enumerate(read)}
    back = {symbol: entry for entry, symbol in stand_ins.items()}
    back[_VALUE] = Entry(equation.target, equation.indices)
    body = equation.body.xreplace(stand_ins)
    found = _derivatives(body, tuple(stand_ins.values()), equation.is_elementwise)
    return [(entry, derivative.xreplace(back)) for entry, derivative in zip(read, found, strict=True)]


def derivative_of_reduction(equation: Equation) -> sp.Expr:
    """The derivative of an equation's reduction with respect to its body, at the equation's indices.

    An extremum gives 1 wherever it is attained; who attains it shares it, so the caller divides by their
    number.
    """
    value = Entry(equation.target, equation.indices)
    match equation.reduction:
        case "logsumexp":
            return sp.exp(equation.body - value)
        case "max" | "min":
            return Piecewise((1, sp.Eq(equation.body, value)), (0, True))
    return sp.Integer(1)


_VALUE = sp.Symbol("_value", real=True)


def _without_powers_of_0(body: sp.Expr) -> sp.Expr:
    """The body with 0 for 0**v, whose slope is 0 where it has one: to SymPy it is 0**v·log 0, no number."""
    powers = {power: sp.Integer(0) for power in body.atoms(sp.Pow) if power.base.is_zero}
    return body.xreplace(powers) if powers else body


@lru_cache(CACHE_SIZE)
def _derivatives(
    body: sp.Expr, variables: tuple[sp.Symbol, ...], is_elementwise: bool
) -> tuple[sp.Expr, ...]:
    """Kept, so that equal layers are differentiated once."""
    found = [sp.diff(_without_powers_of_0(body), v) for v in variables]
    if is_elementwise:
        found = [in_terms_of_value(body, d, _VALUE) or d for d in found]
    return tuple(found)
