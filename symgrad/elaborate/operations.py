"""What operators and functions of one entry mean, and which of their results are refused."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.domains import ends_of
from symgrad.calculus.real import Piecewise, in_real_terms, within
from symgrad.calculus.rules import fold
from symgrad.calculus.terms import CACHE_SIZE, function_called
from symgrad.errors import Position, SpecError
from symgrad.spec.language.builtins import SCALAR_FUNCTIONS, STEPWISE_FUNCTIONS
from symgrad.spec.language.number_types import LARGEST
from symgrad.spec.scalars import SCALARS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_EXPONENT = 1000
MAX_BITS = 100_000
_NOT_REAL = frozenset((sp.zoo, sp.nan, sp.oo, -sp.oo, sp.I))


def _power(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    """v**p to q is v**(p·q) where v ≥ 0, if it is steep at 0: in parts, its slope would be 0 times infinity.

    An even p is SymPy's to know, which makes |v| of v.
    """
    is_root = base.is_Pow and base.exp.is_Rational and exponent.is_Rational and not exponent.is_integer
    if not is_root or base.exp.is_even or not 0 < base.exp * exponent <= 1 < base.exp:
        return base**exponent
    whole = base.base ** (base.exp * exponent)
    return within(whole, base.base) if (base.exp * exponent).is_integer else whole


def _root(v: sp.Expr) -> sp.Expr:
    return _power(v, sp.Rational(1, 2))


SCALAR: Mapping[str, Callable[[sp.Expr], sp.Expr]] = {
    name: function_called(name) for name in SCALAR_FUNCTIONS | STEPWISE_FUNCTIONS
} | {"sqrt": _root}


ARITHMETIC: Mapping[str, Callable[[sp.Expr, sp.Expr], sp.Expr]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": _power,
}

RELATION = {"<": sp.Lt, "<=": sp.Le, ">": sp.Gt, ">=": sp.Ge, "==": sp.Eq, "!=": sp.Ne}


def larger(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """max(a, b) as a choice. At a tie each has half of the slope, but a constant has all of it: relu'(0) = 0.

    So has b where it is a multiple of a, as in max(x, x/100), another leaky_relu. Written so that a NaN is
    chosen and not hidden.
    """
    if not a.is_number and not b.is_number and not (b / a).is_number:
        return Piecewise((a, a > b), (b, a < b), ((a + b) / 2, True))
    a, b = (b, a) if a.is_number else (a, b)
    return Piecewise((b, a <= b), (a, True))


def smaller(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """min(a, b) as a choice, with the policy of `larger`."""
    if not a.is_number and not b.is_number and not (b / a).is_number:
        return Piecewise((a, a < b), (b, a > b), ((a + b) / 2, True))
    a, b = (b, a) if a.is_number else (a, b)
    return Piecewise((b, a >= b), (a, True))


def chosen_by(operator: str) -> Callable[..., sp.Expr]:
    """`where(left operator right, a, b)` as a function of the four; a choice in b makes it one of three."""
    relation = RELATION[operator]

    def choose(left: sp.Expr, right: sp.Expr, a: sp.Expr, b: sp.Expr) -> sp.Expr:
        others = b.args if isinstance(b, sp.Piecewise) else ((b, True),)
        return Piecewise((a, relation(left, right)), *others)

    return choose


def applied(function: Callable[..., sp.Expr], operands: list[sp.Expr], what: str, at: Position) -> sp.Expr:
    """`function`, called `what`, of some bodies, if that is a real number wherever it is defined.

    Raises:
        SpecError: the result is infinite, complex, or a number too large to compute with.
    """
    if what == "**":
        _check_power(operands[0], operands[1], at)
    if what in SCALAR and any(map(_is_outside, ends_of(SCALARS[what], *operands))):
        raise _not_real(what, at)
    try:
        body = in_real_terms(function(*operands))
    except TypeError:
        # SymPy refuses to order numbers it knows to be complex.
        raise _not_real(what, at) from None
    _check_real(body, what, at)
    return body


def _is_outside(end: sp.Expr) -> bool:
    """Whether what must not be negative is so everywhere, or but for single points, as -x**2 is."""
    known = fold(end)
    return bool(known.is_negative or (known.is_nonpositive and not known.is_number))


def _check_power(base: sp.Expr, exponent: sp.Expr, at: Position) -> None:
    """Refuse what SymPy would compute for ever, and powers that are complex nearly everywhere."""
    if exponent.is_number and not abs(exponent) <= MAX_EXPONENT:
        raise SpecError(
            f"an exponent beyond {MAX_EXPONENT}",
            at=at,
            remedy="expected a smaller one; exp(a * log(x)) is x**a",
        )
    if base.is_Rational and exponent.is_Rational and _bits(base) * abs(exponent) > MAX_BITS:
        raise _too_many_digits(at)
    if fold(base).is_negative and not exponent.is_integer:
        raise SpecError(
            f"the power of the negative number {base} is complex for most exponents",
            at=at,
            remedy="expected a positive base, or a whole exponent",
        )


def _check_real(body: sp.Expr, what: str, at: Position) -> None:
    if _holds_no_real(body) or body.is_real is False:
        raise _not_real(what, at)
    if body.is_Rational and _bits(body) > MAX_BITS:
        raise _too_many_digits(at)
    if body.is_number and not abs(_magnitude(body)) <= LARGEST["float64"]:
        raise SpecError(
            f"the constant that '{what}' gives here is beyond {LARGEST['float64']:.2g}",
            at=at,
            remedy="float64 holds no such number",
        )


@lru_cache(CACHE_SIZE)
def _holds_no_real(expr: sp.Basic) -> bool:
    """Whether infinity, i or what has no value stands in it; of its parts that was asked before."""
    return expr in _NOT_REAL or any(map(_holds_no_real, expr.args))


def _magnitude(number: sp.Expr) -> float:
    """A constant in double precision, infinite beyond its range."""
    try:
        return float(number) if number.is_Rational else float(number.evalf(17))
    except (OverflowError, TypeError):
        return math.inf


def _bits(number: sp.Expr) -> int:
    return int(number.p).bit_length() + int(number.q).bit_length()


def _not_real(what: str, at: Position) -> SpecError:
    return SpecError(
        f"'{what}' gives no real number here", at=at, remedy="check for a division by zero, or log(0)"
    )


def _too_many_digits(at: Position) -> SpecError:
    return SpecError(
        "a constant with too many digits in its exact form", at=at, remedy="write its decimal value"
    )
