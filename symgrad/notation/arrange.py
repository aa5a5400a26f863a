"""Formulas put together so that signs, numbers and divisors stand where people look for them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.notation.typesetting.typeset import (
    Formula,
    NameText,
    NumberText,
    ProductKind,
    ProductText,
    Quotient,
    Relation,
    Root,
    Sum,
    Symbol,
    Transposed,
    decimal,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ONE = NumberText(Fraction(1))


def negated(formula: Formula) -> Formula:
    """`-formula`."""
    negative, positive = signed(formula)
    return positive if negative else Sum(((True, formula),))


def transposed(formula: Formula) -> Formula:
    """`formulaᵀ`; of `Aᵀ` it is `A`."""
    return formula.base if isinstance(formula, Transposed) else Transposed(formula)


def signed(formula: Formula) -> tuple[bool, Formula]:
    """(True, a) for `-a`, (False, a) for `a`."""
    match formula:
        case Sum(((True, inner),)):
            return True, inner
    return False, formula


def total(terms: Iterable[tuple[bool, Formula]]) -> Formula:
    """The sum of signed terms: sums among them opened, what is added first, over a shared divisor."""
    flat: list[tuple[bool, Formula]] = []
    for negative, term in terms:
        inner = term.terms if isinstance(term, Sum) else ((False, term),)
        flat += [(negative != minus, part) for minus, part in inner]
    flat.sort(key=lambda signed_term: signed_term[0])
    divisors = {part.below for _, part in flat if isinstance(part, Quotient)}
    above = tuple((minus, part.above) for minus, part in flat if isinstance(part, Quotient))
    if len(above) == len(flat) > 1 and len(divisors) == 1:
        return Quotient(Sum(above), divisors.pop())
    return Sum(tuple(flat))


def quotient(above: Formula, below: Formula) -> Formula:
    """`above / below`, the sign before the line; (a/2)/N becomes a/(2·N)."""
    negative, top = signed(above)
    found = Quotient(top, below)
    match top:
        case Quotient(inner, under) if _may_join(under, below):
            found = Quotient(inner, _joined("numbers", _numbers_first((below, under))))
    return negated(found) if negative else found


def product(kind: ProductKind, factors: Iterable[Formula]) -> Formula:
    """The product of factors: its sign, then one number, then the rest, over what divides it."""
    number = Fraction(1)
    rest: list[Formula] = []
    below: list[Formula] = []
    for factor in factors:
        negative, part = signed(factor)
        if kind in ("numbers", "entries"):
            scale, part, under = _unscaled(part, below)
            number *= scale
            below += under
        number *= -1 if negative else 1
        rest += [part] if part != ONE else []
    if number.denominator != 1 and decimal(number) is None:
        below.append(NumberText(Fraction(number.denominator)))
        number = Fraction(number.numerator)
    found = _joined(kind, rest) if rest else NumberText(abs(number))
    if rest and abs(number) != 1:
        found = _joined("numbers", (NumberText(abs(number)), found))
    if below:
        found = quotient(found, _joined("numbers", _numbers_first(below)))
    return negated(found) if number < 0 else found


def fraction_first(formula: Formula) -> Formula:
    """`(2/N)·(A·B)` for `2·(A·B)/N`, in each summand."""
    match formula:
        case Relation(left, operator, right):
            return Relation(left, operator, fraction_first(right))
        case Sum(terms):
            return Sum(tuple((negative, fraction_first(term)) for negative, term in terms))
        case Quotient(ProductText("matrices") as matrices, below) if _is_fixed(below):
            return ProductText("numbers", (Quotient(ONE, below), matrices))
        case Quotient(ProductText("numbers", (*numbers, ProductText("matrices") as matrices)), below) if all(
            map(_is_fixed, (*numbers, below))
        ):
            return ProductText("numbers", (Quotient(_joined("numbers", numbers), below), matrices))
    return formula


def _unscaled(factor: Formula, below: Sequence[Formula]) -> tuple[Fraction, Formula, tuple[Formula, ...]]:
    """(number, rest, divisors) with what can stand before the whole product taken out of a factor."""
    match factor:
        case NumberText(value):
            return value, ONE, ()
        case ProductText("numbers", (NumberText(value), *others)):
            return value, _joined("numbers", others), ()
        case ProductText("numbers", (Quotient() as first, *others)):
            value, rest, under = _unscaled(first, below)
            return value, _joined("numbers", others if rest == ONE else (rest, *others)), under
        case Quotient(above, under) if _is_fixed(under) and all(_may_join(under, b) for b in below):
            value, rest, more = _unscaled(above, (*below, under))
            return value, rest, (*more, under)
    return Fraction(1), factor, ()


def _is_fixed(formula: Formula) -> bool:
    if isinstance(formula, ProductText):
        return formula.kind == "numbers" and all(map(_is_fixed, formula.factors))
    return isinstance(formula, NameText | Symbol | NumberText) or _is_number(formula)


def _is_number(formula: Formula) -> bool:
    return isinstance(formula, NumberText) or (isinstance(formula, Root) and _is_number(formula.inner))


def _may_join(inner: Formula, outer: Formula) -> bool:
    """Whether two divisors may stand as one product: two names could be taken for matrices."""
    return _is_fixed(inner) and _is_fixed(outer) and (_is_number(inner) or _is_number(outer))


def _numbers_first(factors: Iterable[Formula]) -> list[Formula]:
    return sorted(factors, key=lambda f: not _is_number(f))


def _joined(kind: ProductKind, factors: Sequence[Formula]) -> Formula:
    """A product with those of its own kind among its factors opened."""
    flat: list[Formula] = []
    for factor in factors:
        if isinstance(factor, ProductText) and factor.kind == kind != "matrices":
            flat += factor.factors
        else:
            flat.append(factor)
    return flat[0] if len(flat) == 1 else ProductText(kind, tuple(flat))
