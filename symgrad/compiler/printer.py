"""Scalar expressions as Python text for Numba, in the arithmetic type of the arrays."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.scalar_writer import OPERATORS
from symgrad.calculus.terms import Entry, delta, shifted
from symgrad.compiler.elementary import ULPS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        """The expression as a sum; put it in brackets before it becomes a factor."""
        if expr in self.symbols:
            return self.symbols[expr]
        if expr.is_number:
            return self._number(expr)
        if expr.is_Add:
            return self._sum(expr)
        if expr.is_Mul:
            return self._product(expr)
        return self._single(expr)

    def _sum(self, expr: sp.Expr) -> str:
        terms = [t.as_coeff_Mul() for t in sp.Add.make_args(expr)]
        terms.sort(key=lambda t: bool(t[0].is_negative))
        text = ""
        for coefficient, rest in terms:
            negative = coefficient.is_negative
            term = self(-coefficient * rest if negative else coefficient * rest)
            if not text:
                text = f"-{self._bracketed(term)}" if negative else term
            else:
                text += f" {'-' if negative else '+'} {term}"
        return text

    def _bracketed(self, text: str) -> str:
        return f"({text})" if " + " in text or " - " in text or " if " in text else text

    def _factor(self, expr: sp.Expr) -> str:
        text = self(expr)
        needs = expr not in self.symbols and not expr.is_number and (expr.is_Add or expr.is_Mul)
        return f"({text})" if needs or text.startswith("-") else text

    def _product(self, expr: sp.Expr) -> str:
        coefficient, rest = expr.as_coeff_Mul()
        irrational = sp.Mul(*(f for f in sp.Mul.make_args(rest) if f.is_number))
        coefficient, rest = coefficient * irrational, rest / irrational
        if coefficient == -1:
            return f"-{self._factor(rest)}" if not rest.is_Mul else f"-{self._product(rest)}"
        above, below = [], []
        if coefficient.is_Rational and coefficient.q != 1 and coefficient.p in (1, -1):
            below.append(sp.Integer(coefficient.q))
            sign = "-" if coefficient.p < 0 else ""
        else:
            sign = "-" if coefficient.is_negative else ""
            if abs(coefficient) != 1:
                above.append(abs(coefficient))
        for factor in sp.Mul.make_args(rest):
            base, exponent = factor.as_base_exp()
            divides = exponent.is_number and exponent.is_negative and factor not in self.symbols
            if divides and not isinstance(factor, sp.exp):
                below.append(base**-exponent)
            else:
                above.append(factor)
        top = " * ".join(map(self._factor, above)) or self._number(sp.Integer(1))
        bottom = " * ".join(map(self._factor, below))
        if len(below) > 1:
            bottom = f"({bottom})"
        return sign + (f"{top} / {bottom}" if below else top)

    def _single(self, expr: sp.Expr) -> str:
        if isinstance(expr, Entry):
            return self.entry(expr)
        if expr.is_number:
            return self._number(expr)
        if isinstance(expr, sp.Symbol):
            return self._cast(self._index(expr))
        if isinstance(expr, delta):
            label, index = expr.args
            label_text = self.entry(label) if isinstance(label, Entry) else self._index(label)
            return f"(real(1) if {label_text} == {self._index(index)} else real(0))"
        if isinstance(expr, shifted):
            return f"{'' if self.vectorised else 'formed_first'}({self._difference(*expr.args)})"
        if isinstance(expr, sp.Piecewise):
            return self._choice(expr)
        if isinstance(expr, sp.exp):
            inner = expr.args[0]
            argument = self._difference(*inner.args) if isinstance(inner, shifted) else self(inner)
            return f"{self._function(expr)}({argument})"
        if expr.is_Pow:
            return self._power(*expr.as_base_exp())
        function, first, *others = self._function(expr), *map(self, expr.args)
        if not others:
            return f"{function}({first})"
        return reduce(lambda text, other: f"{function}({text}, {other})", others, first)

    def _difference(self, minuend: sp.Expr, subtrahend: sp.Expr) -> str:
        return f"{self(minuend)} - {self._factor(subtrahend)}"

    def _function(self, expr: sp.Expr) -> str:
        name = type(expr).__name__
        if name in OWN_FUNCTIONS and (self.vectorised or name not in FUNCTIONS):
            return OWN_FUNCTIONS[name]
        return FUNCTIONS[name]

    def _choice(self, expr: sp.Expr) -> str:
        text = ""
        for value, condition in expr.args:
            if condition == sp.true:
                text += self._factor(value)
                break
            text += f"{self._factor(value)} if {self._condition(condition)} else "
        return f"({text})"

    def _condition(self, condition: sp.Basic) -> str:
        if isinstance(condition, sp.And | sp.Or):
            word = " and " if isinstance(condition, sp.And) else " or "
            return word.join(f"({self._condition(a)})" for a in condition.args)
        if isinstance(condition, sp.Not):
            return f"not ({self._condition(condition.args[0])})"
        left, right = condition.args
        return f"{self(left)} {OPERATORS[type(condition)]} {self(right)}"

    def _power(self, base: sp.Expr, exponent: sp.Expr) -> str:
        if exponent == sp.Rational(1, 2):
            return f"np.sqrt({self(base)})"
        if exponent == sp.Rational(-1, 2):
            return f"{self._cast('1')} / np.sqrt({self(base)})"
        if exponent.is_number and exponent.is_negative:
            return f"{self._cast('1')} / {self._factor(base**-exponent)}"
        if exponent == 2:
            return f"np.square({self(base)})"
        if exponent == 3 and isinstance(base, Entry):
            return f"np.square({self(base)}) * {self(base)}"
        return f"{self._factor(base)} ** {self._factor(exponent)}"

    def _number(self, value: sp.Expr) -> str:
        if value.is_Integer and abs(value) < 2**53:
            return self._cast(str(int(value)))
        return self._cast(repr(float(value.evalf(MAX_DIGITS + 3))))

    def _cast(self, number: str) -> str:
        return f"real({number})" if self.cast else number

    def _index(self, expr: sp.Expr) -> str:
        return print_index(expr, self.symbols)


def print_index(expr: sp.Expr, symbols: Mapping[sp.Basic, str]) -> str:
    """An index or a size as Python text: a number, a loop index or an affine form."""
    if expr in symbols:
        return symbols[expr]
    if expr.is_Integer:
        return str(int(expr))
    if expr.is_Symbol:
        return str(expr.name)
    joined = " + " if expr.is_Add else " * "
    parts = [print_index(a, symbols) for a in expr.args]
    return joined.join(f"({p})" if " + " in p and expr.is_Mul else p for p in parts)
