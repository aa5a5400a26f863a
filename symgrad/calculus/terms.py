"""The scalar language of equation bodies: SymPy, plus tensor entries and a few named functions.

A named function is a numerically stable name for a formula. Its derivative is SymPy's derivative of
that formula, written in terms of the function's own value where algebra allows it: this is how
`sigmoid' = sigmoid (1 - sigmoid)` and `softplus' = sigmoid` come about.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import sympy as sp

if TYPE_CHECKING:
    from collections.abc import Sequence


class Entry(sp.Expr):  # type: ignore[misc]  # SymPy has no types
    """One entry of a tensor, `X[n, k]`: to SymPy a real variable of its own."""

    is_commutative = True
    is_real = True
    _diff_wrt = True

    def __new__(cls, tensor: str, indices: Sequence[sp.Expr] = ()) -> Entry:
        return _entry(tensor, tuple(indices))

    @property
    def tensor(self) -> str:
        return str(self.args[0].name)

    @property
    def indices(self) -> tuple[sp.Expr, ...]:
        return tuple(self.args[1:])

    @property
    def func(self) -> Any:
        return lambda name, *indices: Entry(name.name, indices)

    def _eval_derivative(self, variable: sp.Expr) -> sp.Expr:
        return sp.Integer(int(self == variable))

    def _sympystr(self, printer: Any) -> str:
        inner = ", ".join(printer.doprint(i) for i in self.indices)
        return f"{self.tensor}[{inner}]" if inner else self.tensor


@cache
def _tensor_symbol(name: str) -> sp.Symbol:
    return sp.Symbol(name)


def _entry(tensor: str, indices: tuple[sp.Expr, ...]) -> Entry:
    return sp.Expr.__new__(Entry, _tensor_symbol(tensor), *map(sp.sympify, indices))


@cache
def index_symbol(name: str) -> sp.Symbol:
    """A loop index: an integer from 0."""
    return sp.Symbol(name, integer=True, nonnegative=True)


@cache
def extent_symbol(name: str) -> sp.Symbol:
    """The size of a free axis: a positive integer known when the data is."""
    return sp.Symbol(name, integer=True, positive=True)


class Named(sp.Function):  # type: ignore[misc]
    """A named function of one real argument, defined by a formula."""

    nargs = 1
    is_real = True
    formula: ClassVar[Any]

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return derivative_of(type(self)).xreplace({ARGUMENT: self.args[0]})

    def _eval_rewrite_as_tractable(self, x: sp.Expr, **_: Any) -> sp.Expr:
        return type(self).formula(x)


class sigmoid(Named):  # noqa: N801  # named as SymPy names functions
    """1 / (1 + exp(-x)), positive and below 1."""

    is_positive = True
    formula = staticmethod(lambda x: 1 / (1 + sp.exp(-x)))


class softplus(Named):  # noqa: N801
    """log(1 + exp(x)), positive, without overflow."""

    is_positive = True
    formula = staticmethod(lambda x: sp.log(1 + sp.exp(x)))


class log1p(Named):  # noqa: N801
    """log(1 + x), exact for small x."""

    formula = staticmethod(lambda x: sp.log(1 + x))


class expm1(Named):  # noqa: N801
    """exp(x) - 1, exact for small x."""

    formula = staticmethod(lambda x: sp.exp(x) - 1)


class shifted(sp.Function):  # type: ignore[misc]  # noqa: N801
    """a - b, kept together: the difference is formed before anything else is added to it."""

    nargs = 2
    is_real = True

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        return sp.Integer(1 if argindex == 1 else -1)


class delta(sp.Function):  # type: ignore[misc]  # noqa: N801
    """Kronecker's delta of an integer entry and an index: 1 where they agree, else 0."""

    nargs = 2
    is_real = True

    def _eval_derivative(self, variable: sp.Expr) -> sp.Expr:
        return sp.Integer(0)


ARGUMENT = sp.Symbol("x", real=True)


@cache
def derivative_of(function: type[Named]) -> sp.Expr:
    """The derivative of a named function at ARGUMENT, by SymPy from its formula."""
    from symgrad.calculus.rules import fold

    value = function.formula(ARGUMENT)
    slope = sp.diff(value, ARGUMENT)
    return in_terms_of_value(value, slope, function(ARGUMENT)) or fold(slope)


def in_terms_of_value(value: sp.Expr, slope: sp.Expr, name: sp.Expr) -> sp.Expr | None:
    """`slope` as a polynomial in `name`, where `value`, called `name`, is rational in one exponential.

    Solves value(u) = name for the exponential u and substitutes: tanh' and sigmoid' are found so.
    """
    exponentials = value.atoms(sp.exp)
    if len(exponentials) != 1:
        return None
    generator = exponentials.pop()
    u, a = sp.Dummy("u"), sp.Dummy("a")
    in_u = value.xreplace({generator: u})
    slope_u = slope.xreplace({generator: u})
    if not in_u.is_rational_function(u) or in_u.free_symbols != {u} or slope_u.free_symbols != {u}:
        return None
    solutions = sp.solve(sp.Eq(in_u, a), u)
    if len(solutions) != 1:
        return None
    found = sp.factor(sp.simplify(slope_u.xreplace({u: solutions[0]})))
    return found.xreplace({a: name}) if found.is_polynomial(a) else None


def entries(expr: sp.Expr) -> list[Entry]:
    """The distinct entries in an expression, those inside indices too, in a fixed order."""
    return sorted(expr.atoms(Entry), key=lambda e: e.sort_key())


def float_entries(expr: sp.Expr) -> list[Entry]:
    """The distinct entries that stand as values, not as indices."""
    found: set[Entry] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, Entry):
            found.add(node)
        elif not isinstance(node, delta):
            stack.extend(node.args)
    return sorted(found, key=lambda e: e.sort_key())


def indices_in(expr: sp.Basic) -> set[sp.Symbol]:
    """The loop indices that occur in an expression."""
    return {s for s in expr.free_symbols if s.is_integer and s.is_nonnegative and not s.is_positive}
