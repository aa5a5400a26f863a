"""The slopes of the language's own functions, from SymPy's, in any arithmetic."""

from __future__ import annotations

import operator
from fractions import Fraction
from functools import lru_cache, reduce
from typing import TYPE_CHECKING

import sympy as sp

if TYPE_CHECKING:
    from symgrad.verifier.arithmetic import Arithmetic, Array

_X = sp.Symbol("x", real=True)
_N = sp.Symbol("n")

_DEFINITIONS = {"log1p": sp.log(1 + _X), "expm1": sp.exp(_X) - 1, "abs": sp.Abs(_X), "floor": sp.Integer(0)}
"""What SymPy has under another name, or, a jump apart, differentiates to something else than it is."""

_NAMES = {sp.Abs: "abs", sp.sign: "sign"}


@lru_cache(maxsize=64)
def slope_formula(name: str) -> sp.Expr:
    """The derivative of a function of the language; that of a step is 0."""
    if name == "sign":
        return sp.Integer(0)
    return sp.diff(_DEFINITIONS[name] if name in _DEFINITIONS else getattr(sp, name)(_X), _X)


@lru_cache(maxsize=1)
def power_slope() -> sp.Expr:
    """The derivative of x**n with respect to x."""
    return sp.powsimp(sp.diff(_X**_N, _X))


def slope(name: str, x: Array, arithmetic: Arithmetic) -> Array:
    """The slope of a function at every entry of an array."""
    return evaluate(slope_formula(name), {_X: x}, arithmetic)


def slope_of_power(x: Array, n: Array, arithmetic: Arithmetic) -> Array:
    """The slope of x**n with respect to x."""
    return evaluate(power_slope(), {_X: x, _N: n}, arithmetic)


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
    return arithmetic.functions[_NAMES.get(formula.func, formula.func.__name__)](values[0])
