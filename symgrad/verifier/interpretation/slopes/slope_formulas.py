"""The slopes of the language's own functions as SymPy's formulas, evaluated in any arithmetic."""

from __future__ import annotations

import operator
from fractions import Fraction
from functools import lru_cache, reduce
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.spec.language.definitions import defined
from symgrad.spec.scalars import INNER, SCALARS

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.verifier.interpretation.arithmetic import Arithmetic
    from symgrad.verifier.interpretation.array_library import Array

BASE = sp.Symbol("x", real=True)
EXPONENT = sp.Symbol("n")


@lru_cache(maxsize=64)
def slope_formula(name: str) -> sp.Expr:
    """The derivative of a function of the language; that of a step is 0."""
    return sp.Integer(0) if SCALARS[name].flat else sp.diff(_in_sympy(name)(BASE), BASE)


def _in_sympy(name: str) -> Callable[[sp.Expr], sp.Expr]:
    """SymPy's function, or the formula of one that SymPy lacks."""
    row = SCALARS[name]
    return row.of(sp, row.inner) or (lambda x: defined(row.formula, sp.sympify, _in_sympy)({"x": x}))


@lru_cache(maxsize=1)
def power_slope() -> sp.Expr:
    """The derivative of x**n with respect to x."""
    return sp.powsimp(sp.diff(BASE**EXPONENT, BASE))


def slope(arithmetic: Arithmetic, name: str, x: Array) -> Array:
    """The slope of a function at every entry of an array."""
    return evaluate(slope_formula(name), {BASE: x}, arithmetic)


def slope_of_power(arithmetic: Arithmetic, base: Array, exponent: Array) -> Array:
    """The slope of base**exponent as the base varies."""
    return evaluate(power_slope(), {BASE: base, EXPONENT: exponent}, arithmetic)


def evaluate(formula: sp.Expr, symbols: dict[sp.Symbol, Array], arithmetic: Arithmetic) -> Array:
    """The value of a formula of SymPy's over arrays."""
    if formula in symbols:
        return symbols[formula]
    if formula.is_Rational:
        return arithmetic.array(arithmetic.number(Fraction(int(formula.p), int(formula.q))))
    if formula is sp.pi:
        return arithmetic.functions["acos"](arithmetic.array(arithmetic.number(Fraction(-1))))
    values = [evaluate(part, symbols, arithmetic) for part in formula.args]
    if formula.is_Add or formula.is_Mul:
        operation = operator.add if formula.is_Add else operator.mul
        return reduce(lambda a, b: arithmetic.array(operation(a, b)), values)
    if formula.is_Pow:
        return arithmetic.array(arithmetic.power(*values))
    return arithmetic.functions[INNER[formula.func.__name__].name](values[0])
