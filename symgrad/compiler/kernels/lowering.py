"""From formulas to the expressions of kernels: in which order terms, factors and quotients are computed."""

from __future__ import annotations

import math
from functools import reduce
from itertools import chain
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.real import within
from symgrad.calculus.terms import (
    Entry,
    Named,
    delta,
    divided,
    is_index,
    is_infinite,
    is_whole,
    leading,
    multiplied,
    shifted,
)
from symgrad.compiler.kernels.instructions import (
    Applied,
    Cases,
    Compared,
    Denied,
    Divided,
    Expression,
    FormedFirst,
    Joined,
    Literal,
    Multiplied,
    Negated,
    Raised,
    Summed,
    Typed,
    Variable,
)
from symgrad.errors import InternalError
from symgrad.notation.scalar_writer import OPERATORS
from symgrad.spec.scalars import INNER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

COMPUTED = {inner for inner, row in INNER.items() if row.code or row.ulps} | {"Max", "Min"}
"""Functions that a library or the module has, as SymPy calls them."""
MAX_DIGITS = 17

EXACT = 2**53
"""Whole numbers below this are written as they are, and inverses of them as quotients."""


class Lowering:
    """Lowers scalar bodies. `entry` says where a tensor's entry is, `known` what holds whole sub-expressions.

    Numbers are of the arithmetic type of the arrays unless `typed` is false. While it is not `vectorised`,
    functions are plain ones.
    """

    def __init__(
        self,
        entry: Callable[[Entry], Expression],
        known: Mapping[sp.Basic, Expression],
        typed: bool = True,
    ) -> None:
        self.entry, self.known, self.typed = entry, known, typed
        self.vectorised = typed

    def __call__(self, expr: sp.Expr) -> Expression:
        """The expression of a formula."""
        if expr in self.known:
            return self._type(self.known[expr]) if is_index(expr) else self.known[expr]
        if is_infinite(expr):
            return self._type(Literal(math.inf if expr.is_positive else -math.inf))
        if expr.is_number:
            return self._number(expr)
        if expr.is_Add:
            return self._sum(expr)
        if expr.is_Mul:
            return self._product(expr)
        return self._single(expr)

    def _sum(self, expr: sp.Expr) -> Expression:
        terms = [t.as_coeff_Mul() for t in sp.Add.make_args(expr)]
        terms.sort(key=lambda t: bool(t[0].is_negative))
        return Summed(tuple((bool(c.is_negative), self(abs(c) * rest)) for c, rest in terms))

    def _product(self, expr: sp.Expr) -> Expression:
        coefficient, rest = expr.as_coeff_Mul()
        irrational = sp.Mul(*(f for f in sp.Mul.make_args(rest) if f.is_number))
        coefficient, rest = coefficient * irrational, rest / irrational
        if coefficient.is_negative:
            return Negated(self._quotient(-coefficient, rest))
        return self._quotient(coefficient, rest)

    def _quotient(self, coefficient: sp.Expr, rest: sp.Expr) -> Expression:
        """A product whose factors with negative exponents stand below the line."""
        above: list[sp.Expr] = []
        below: list[sp.Expr] = []
        for factor in sp.Mul.make_args(rest):
            base, exponent = factor.as_base_exp()
            divides = exponent.is_number and exponent.is_negative and factor not in self.known
            if divides and not isinstance(factor, sp.exp):
                below.append(base**-exponent)
            else:
                above.append(factor)
        top, bottom = (list(chain.from_iterable(map(self._factors, self._joined(f)))) for f in (above, below))
        if coefficient.is_Rational and coefficient.p == 1 and 1 < coefficient.q < EXACT:
            bottom.insert(0, self._number(sp.Integer(coefficient.q)))
        elif coefficient != 1:
            top.insert(0, self._number(coefficient))
        found = product(top) if top else self._number(sp.Integer(1))
        return Divided(found, product(bottom)) if bottom else found

    def _joined(self, factors: Sequence[sp.Expr]) -> list[sp.Expr]:
        """Factors, of equal powers that of their product: SymPy makes x²y² of (x·y)², infinity times 0."""
        by_power: dict[sp.Expr, list[sp.Expr]] = {}
        for factor in factors:
            exponent = factor.as_base_exp()[1]
            is_power = exponent.is_Integer and exponent > 1 and factor not in self.known
            by_power.setdefault(exponent if is_power else factor, []).append(factor)
        return [
            same[0] if len(same) == 1 else sp.Pow(sp.Mul(*(f.base for f in same)), power, evaluate=False)
            for power, same in by_power.items()
        ]

    def _factors(self, factor: sp.Expr) -> tuple[Expression, ...]:
        """A factor of a product; a cube is two."""
        if factor in self.known or not _is_cube_of_entries(factor):
            return (self(factor),)
        base = self(factor.base)
        return Applied("square", (base,)), base

    def _single(self, expr: sp.Expr) -> Expression:
        if isinstance(expr, Entry):
            return self.entry(expr)
        if isinstance(expr, sp.Symbol):
            return self._type(self._index(expr))
        if isinstance(expr, leading):
            return self(expr.args[0])
        if isinstance(expr, delta):
            label, index = (self.entry(a) if isinstance(a, Entry) else self._index(a) for a in expr.args)
            is_there = Compared(label, "==", index)
            return Cases(((Typed(Literal(1)), is_there),), Typed(Literal(0)))
        if isinstance(expr, shifted):
            return self._formed_first(expr, "-")
        if isinstance(expr, divided):
            return self._formed_first(expr, "/")
        if isinstance(expr, multiplied):
            return self._formed_first(expr, "*")
        if isinstance(expr, sp.Piecewise):
            return self._cases(expr.args)
        if isinstance(expr, within):
            value, end = map(self, expr.args)
            inside = Compared(end, ">=", self._type(Literal(0)))
            return Cases(((value, inside),), self._type(Literal(float("nan"))))
        if isinstance(expr, sp.exp) and isinstance(expr.args[0], shifted):
            minuend, subtrahend = map(self, expr.args[0].args)
            return self._applied(expr, [Summed(((False, minuend), (True, subtrahend)))])
        if expr.is_Pow:
            return self._power(expr)
        if isinstance(expr, Named) and type(expr).__name__ not in COMPUTED:
            return self(expr.formula(*expr.args))
        first, *others = map(self, expr.args)
        if not others:
            return self._applied(expr, [first])
        return reduce(lambda found, other: self._applied(expr, [found, other]), others, first)

    def _formed_first(self, expr: sp.Expr, operator: str) -> Expression:
        left, right = map(self, expr.args)
        return FormedFirst(left, operator, right)

    def _applied(self, expr: sp.Expr, arguments: Sequence[Expression]) -> Expression:
        name = type(expr).__name__
        if name not in COMPUTED:
            raise InternalError(f"{expr}: the row of {name} in spec/scalars.py needs a code or a formula")
        return Applied(name, tuple(arguments), plain=not self.vectorised)

    def _cases(self, branches: Sequence[tuple[sp.Expr, sp.Basic]]) -> Expression:
        *conditional, (other, condition) = branches
        if condition != sp.true:
            raise InternalError(f"a choice without an else: {branches}")
        found = tuple((self(value), self._condition(c)) for value, c in conditional)
        return Cases(found, self(other)) if found else self(other)

    def _condition(self, condition: sp.Basic) -> Expression:
        if isinstance(condition, sp.And | sp.Or):
            parts = tuple(map(self._condition, condition.args))
            return Joined(parts, every=isinstance(condition, sp.And))
        if isinstance(condition, sp.Not):
            return Denied(self._condition(condition.args[0]))
        lower = self._index if all(map(is_whole, condition.args)) else self
        left, right = map(lower, condition.args)
        return Compared(left, OPERATORS[type(condition)], right)

    def _power(self, expr: sp.Expr) -> Expression:
        base, exponent = expr.as_base_exp()
        if exponent == sp.Rational(1, 2):
            return Applied("sqrt", (self(base),))
        if exponent.is_number and exponent.is_negative:
            return Divided(self._type(Literal(1)), product(self._factors(base**-exponent)))
        if exponent == 2:
            return Applied("square", (self(base),))
        if _is_cube_of_entries(expr):
            return product(self._factors(expr))
        return Raised(self(base), self(exponent))

    def _number(self, value: sp.Expr) -> Expression:
        if value.is_Integer and abs(value) < EXACT:
            return self._type(Literal(int(value)))
        return self._type(Literal(float(value.evalf(MAX_DIGITS + 3))))

    def _type(self, number: Expression) -> Expression:
        return Typed(number) if self.typed else number

    def _index(self, expr: sp.Expr) -> Expression:
        return lowered_index(expr, self.known)


def product(factors: Sequence[Expression]) -> Expression:
    """The product of one or more factors."""
    return factors[0] if len(factors) == 1 else Multiplied(tuple(factors))


def _is_cube_of_entries(expr: sp.Expr) -> bool:
    return (
        bool(expr.is_Pow) and expr.exp == 3 and all(isinstance(f, Entry) for f in sp.Mul.make_args(expr.base))
    )


def lowered_index(expr: sp.Expr, known: Mapping[sp.Basic, Expression]) -> Expression:
    """An index or a size: sums, products and powers of whole numbers and names."""
    if expr in known:
        found = known[expr]
        return found.value if isinstance(found, Typed) else found
    if expr.is_Integer:
        return Literal(int(expr))
    if expr.is_Symbol:
        return Variable(str(expr.name))
    parts = [lowered_index(a, known) for a in expr.args]
    if isinstance(expr, leading):
        return parts[0]
    if expr.is_Add:
        return Summed(tuple((False, part) for part in parts))
    if expr.is_Mul:
        return product(parts)
    if expr.is_Pow:
        base, exponent = parts
        return Raised(base, exponent)
    raise InternalError(f"no index: {expr}")
