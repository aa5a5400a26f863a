"""The verifier's tape over exact numbers, with the slopes of the language's own functions from SymPy's.

A power keeps the form it has: x**1.5 as sqrt(x)·x would rest on sqrt(x)² = x, which only squares of a finite
field fulfil.
"""

from __future__ import annotations

import operator
from fractions import Fraction
from functools import lru_cache, partial, reduce
from typing import TYPE_CHECKING, Any

import sympy as sp

from symgrad.spec.language.definitions import defined
from symgrad.spec.scalars import INNER, SCALARS
from symgrad.verifier.gradients.tape import Tape

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.verifier.interpretation.arithmetic import Arithmetic
    from symgrad.verifier.interpretation.array_library import Array

_X = sp.Symbol("x", real=True)
_N = sp.Symbol("n")


class ExactTape(Tape):
    """Records what is computed with an arithmetic whose numbers SymPy's formulas can be evaluated with."""

    def __init__(self, base: Arithmetic) -> None:
        super().__init__(base, partial(slope, base))

    def _power(self, a: Any, b: Any) -> Any:
        base, exponent = self.of(a), self.of(b)
        value = self.base.power(base.array, exponent.array)

        def to_base(cotangent: Array) -> Array:
            symbols = {_X: base.array, _N: exponent.array}
            return self._times(cotangent, evaluate(power_slope(), symbols, self.base))

        def to_exponent(cotangent: Array) -> Array:
            return self._times(cotangent, value * self.base.functions["log"](base.array))

        return self.record(value, [(base, to_base), (exponent, to_exponent)])


@lru_cache(maxsize=64)
def slope_formula(name: str) -> sp.Expr:
    """The derivative of a function of the language; that of a step is 0."""
    return sp.Integer(0) if SCALARS[name].flat else sp.diff(_in_sympy(name)(_X), _X)


def _in_sympy(name: str) -> Callable[[sp.Expr], sp.Expr]:
    """SymPy's function, or the formula of one that SymPy lacks."""
    row = SCALARS[name]
    return row.of(sp, row.inner) or (lambda x: defined(row.formula, sp.sympify, _in_sympy)({"x": x}))


@lru_cache(maxsize=1)
def power_slope() -> sp.Expr:
    """The derivative of x**n with respect to x."""
    return sp.powsimp(sp.diff(_X**_N, _X))


def slope(arithmetic: Arithmetic, name: str, x: Array) -> Array:
    """The slope of a function at every entry of an array."""
    return evaluate(slope_formula(name), {_X: x}, arithmetic)


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
