"""Scalar expressions as Python text for Numba, in the arithmetic type of the arrays."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.real import within
from symgrad.calculus.terms import Entry, delta, leading, shifted
from symgrad.compiler.targets.numba.elementary import ULPS
from symgrad.compiler.targets.numba.expression import (
    Code,
    Strength,
    call,
    choice,
    compared,
    conjunction,
    disjunction,
    negation,
    negative,
    power,
    product,
    quotient,
    total,
)
from symgrad.errors import InternalError
from symgrad.notation.scalar_writer import OPERATORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FUNCTIONS = {
    "exp": "np.exp",
    "log": "np.log",
    "log1p": "np.log1p",
    "expm1": "np.expm1",
    "sin": "np.sin",
    "cos": "np.cos",
    "tan": "np.tan",
    "sinh": "np.sinh",
    "cosh": "np.cosh",
    "tanh": "np.tanh",
    "asin": "np.arcsin",
    "acos": "np.arccos",
    "atan": "np.arctan",
    "sign": "np.sign",
    "floor": "np.floor",
    "Max": "np.maximum",
    "Min": "np.minimum",
    "Abs": "abs",
    "erf": "math.erf",
    "erfc": "math.erfc",
}
OWN_FUNCTIONS = {**{name: name for name in ULPS}, "Max": "maximum", "Min": "minimum"}
MAX_DIGITS = 17

EXACT = 2**53
"""Whole numbers below this are printed as they are, and inverses of them as quotients."""


class Printer:
    """Prints scalar bodies. `entry` spells tensor entries, `symbols` replaces whole sub-expressions.

    Numbers are cast to the arithmetic type of the arrays, `real(2)`, unless `cast` is false. While it is
    `vectorised`, functions are the module's own; else those of the C library, which need no compilation,
    and a difference that must be formed first says so.
    """

    def __init__(
        self, entry: Callable[[Entry], str], symbols: Mapping[sp.Basic, str], cast: bool = True
    ) -> None:
        self.entry, self.symbols, self.cast = entry, symbols, cast
        self.vectorised = cast

    def __call__(self, expr: sp.Expr) -> str:
        """The text of the expression; put it in brackets before it becomes a part of another."""
        return self.code(expr).text

    def code(self, expr: sp.Expr) -> Code:
        """The expression with its strength, to be made a part of another."""
        if expr in self.symbols:
            return Code(self.symbols[expr])
        if expr.is_number:
            return self._number(expr)
        if expr.is_Add:
            return self._sum(expr)
        if expr.is_Mul:
            return self._product(expr)
        return self._single(expr)

    def _sum(self, expr: sp.Expr) -> Code:
        terms = [t.as_coeff_Mul() for t in sp.Add.make_args(expr)]
        terms.sort(key=lambda t: bool(t[0].is_negative))
        return total([(bool(c.is_negative), self.code(abs(c) * rest)) for c, rest in terms])

    def _product(self, expr: sp.Expr) -> Code:
        coefficient, rest = expr.as_coeff_Mul()
        irrational = sp.Mul(*(f for f in sp.Mul.make_args(rest) if f.is_number))
        coefficient, rest = coefficient * irrational, rest / irrational
        if coefficient.is_negative:
            return negative(self._quotient(-coefficient, rest))
        return self._quotient(coefficient, rest)

    def _quotient(self, coefficient: sp.Expr, rest: sp.Expr) -> Code:
        """A product whose factors with negative exponents stand below the line."""
        above: list[Code] = []
        below: list[Code] = []
        if coefficient.is_Rational and coefficient.p == 1 and 1 < coefficient.q < EXACT:
            below.append(self._number(sp.Integer(coefficient.q)))
        elif coefficient != 1:
            above.append(self._number(coefficient))
        for factor in sp.Mul.make_args(rest):
            base, exponent = factor.as_base_exp()
            divides = exponent.is_number and exponent.is_negative and factor not in self.symbols
            if divides and not isinstance(factor, sp.exp):
                below += self._factors(base**-exponent)
            else:
                above += self._factors(factor)
        top = product(above) if above else self._number(sp.Integer(1))
        return quotient(top, product(below)) if below else top

    def _factors(self, factor: sp.Expr) -> tuple[Code, ...]:
        """A factor of a product; a cube is two."""
        if factor in self.symbols or not _is_cube_of_entry(factor):
            return (self.code(factor),)
        base = self.code(factor.base)
        return call("np.square", [base]), base

    def _single(self, expr: sp.Expr) -> Code:
        if isinstance(expr, Entry):
            return Code(self.entry(expr))
        if isinstance(expr, sp.Symbol):
            return self._cast(self._index(expr))
        if isinstance(expr, delta):
            label, index = expr.args
            label_text = self.entry(label) if isinstance(label, Entry) else self._index(label).text
            return Code(f"(real(1) if {label_text} == {self._index(index).text} else real(0))")
        if isinstance(expr, shifted):
            difference = self._difference(expr)
            kept = difference if self.vectorised else call("formed_first", [difference])
            return Code(kept.within(Strength.ATOM))
        if isinstance(expr, sp.Piecewise):
            return Code(self._choice(expr.args).within(Strength.ATOM))
        if isinstance(expr, within):
            value, end = map(self.code, expr.args)
            inside = compared(end, ">=", self._cast(Code("0")))
            found = choice(Code(value.within(Strength.SIGN)), inside, self._cast(Code("np.nan")))
            return Code(found.within(Strength.ATOM))
        if isinstance(expr, sp.exp):
            inner = expr.args[0]
            argument = self._difference(inner) if isinstance(inner, shifted) else self.code(inner)
            return call(self._function(expr), [argument])
        if expr.is_Pow:
            return self._power(expr)
        function, first, *others = self._function(expr), *map(self.code, expr.args)
        if not others:
            return call(function, [first])
        return reduce(lambda found, other: call(function, [found, other]), others, first)

    def _difference(self, expr: sp.Expr) -> Code:
        minuend, subtrahend = map(self.code, expr.args)
        bracketed = Code(subtrahend.within(Strength.POWER))
        return total([(False, minuend), (True, bracketed)])

    def _function(self, expr: sp.Expr) -> str:
        name = type(expr).__name__
        if name in OWN_FUNCTIONS and (self.vectorised or name not in FUNCTIONS):
            return OWN_FUNCTIONS[name]
        return FUNCTIONS[name]

    def _choice(self, branches: Sequence[tuple[sp.Expr, sp.Basic]]) -> Code:
        (value, condition), *others = branches
        if condition == sp.true:
            return self.code(value)
        if not others:
            raise InternalError(f"a choice without an else: {branches}")
        bracketed = Code(self.code(value).within(Strength.SIGN))
        other = self._choice(others)
        if len(others) == 1:
            other = Code(other.within(Strength.SIGN))
        return choice(bracketed, self._condition(condition), other)

    def _condition(self, condition: sp.Basic) -> Code:
        if isinstance(condition, sp.And | sp.Or):
            join = conjunction if isinstance(condition, sp.And) else disjunction
            return join(Code(f"({self._condition(a).text})") for a in condition.args)
        if isinstance(condition, sp.Not):
            return negation(Code(f"({self._condition(condition.args[0]).text})"))
        left, right = map(self.code, condition.args)
        return compared(left, OPERATORS[type(condition)], right)

    def _power(self, expr: sp.Expr) -> Code:
        base, exponent = expr.as_base_exp()
        if exponent == sp.Rational(1, 2):
            return call("np.sqrt", [self.code(base)])
        if exponent.is_number and exponent.is_negative:
            return quotient(self._cast(Code("1")), product(self._factors(base**-exponent)))
        if exponent == 2:
            return call("np.square", [self.code(base)])
        if _is_cube_of_entry(expr):
            return product(self._factors(expr))
        return power(self.code(base), self.code(exponent))

    def _number(self, value: sp.Expr) -> Code:
        if value.is_Integer and abs(value) < EXACT:
            number = int(value)
            return self._cast(Code(str(number), Strength.SIGN if number < 0 else Strength.ATOM))
        rounded = float(value.evalf(MAX_DIGITS + 3))
        return self._cast(Code(repr(rounded), Strength.SIGN if rounded < 0 else Strength.ATOM))

    def _cast(self, number: Code) -> Code:
        return call("real", [number]) if self.cast else number

    def _index(self, expr: sp.Expr) -> Code:
        return index_code(expr, self.symbols)


def _is_cube_of_entry(expr: sp.Expr) -> bool:
    return bool(expr.is_Pow) and expr.exp == 3 and isinstance(expr.base, Entry)


def print_index(expr: sp.Expr, symbols: Mapping[sp.Basic, str]) -> str:
    """An index or a size as Python text: a number, a loop index or an affine form."""
    return index_code(expr, symbols).text


def index_code(expr: sp.Expr, symbols: Mapping[sp.Basic, str]) -> Code:
    """An index or a size: sums, products and powers of whole numbers and names."""
    if expr in symbols:
        return Code(symbols[expr])
    if expr.is_Integer:
        number = int(expr)
        return Code(str(number), Strength.SIGN if number < 0 else Strength.ATOM)
    if expr.is_Symbol:
        return Code(str(expr.name))
    parts = [index_code(a, symbols) for a in expr.args]
    if isinstance(expr, leading):
        return parts[0]
    if expr.is_Add:
        return total([(False, part) for part in parts])
    if expr.is_Mul:
        return product(parts)
    if expr.is_Pow:
        return power(*parts)
    raise InternalError(f"no index: {expr}")
