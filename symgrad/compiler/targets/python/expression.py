"""Python expressions as text that knows how strongly it holds together: brackets stand where they must.

Nothing looks into the text. A part is bracketed when it binds more weakly than its place in the whole asks;
the levels are those of Python's grammar (The Python Language Reference, 6.17 Operator precedence).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Strength(IntEnum):
    """How strongly an expression binds, the weakest first."""

    CHOICE = 0
    OR = 1
    AND = 2
    NOT = 3
    COMPARISON = 4
    SUM = 5
    PRODUCT = 6
    SIGN = 7
    POWER = 8
    ATOM = 9


@dataclass(frozen=True)
class Code:
    """An expression's text, and the operator that binds it most weakly."""

    text: str
    strength: Strength = Strength.ATOM

    def within(self, least: Strength) -> str:
        """The text where at least this strength is asked for."""
        return self.text if self.strength >= least else f"({self.text})"


def call(function: str, arguments: Iterable[Code]) -> Code:
    """`f(a, b)`"""
    return Code(f"{function}({', '.join(a.within(Strength.CHOICE) for a in arguments)})")


def negative(operand: Code) -> Code:
    """`-a`; of a product its first factor, which is the same number."""
    if operand.strength == Strength.PRODUCT:
        return Code(f"-{operand.text}", Strength.PRODUCT)
    return Code(f"-{operand.within(Strength.POWER)}", Strength.SIGN)


def total(terms: Sequence[tuple[bool, Code]]) -> Code:
    """`a - b + c`: terms, each with whether it is subtracted; of one term, this itself."""
    (first_is_subtracted, first), *others = terms
    if first_is_subtracted:
        first = negative(first)
    if not others:
        return first
    text = first.within(Strength.SUM)
    for is_subtracted, term in others:
        text += f" {'-' if is_subtracted else '+'} {term.within(Strength.PRODUCT)}"
    return Code(text, Strength.SUM)


def product(factors: Sequence[Code]) -> Code:
    """`a * b * c`; of one factor, this itself."""
    if len(factors) == 1:
        return factors[0]
    first, *others = factors
    texts = (first.within(Strength.PRODUCT), *(f.within(Strength.POWER) for f in others))
    return Code(" * ".join(texts), Strength.PRODUCT)


def quotient(dividend: Code, divisor: Code) -> Code:
    """`a / b`"""
    text = f"{dividend.within(Strength.PRODUCT)} / {divisor.within(Strength.POWER)}"
    return Code(text, Strength.PRODUCT)


def power(base: Code, exponent: Code) -> Code:
    """`a ** b`"""
    return Code(f"{base.within(Strength.ATOM)} ** {exponent.within(Strength.ATOM)}", Strength.POWER)


def compared(left: Code, operator: str, right: Code) -> Code:
    """`a < b`"""
    return Code(f"{left.within(Strength.SUM)} {operator} {right.within(Strength.SUM)}", Strength.COMPARISON)


def conjunction(conditions: Iterable[Code]) -> Code:
    """`a and b`"""
    return Code(" and ".join(c.within(Strength.NOT) for c in conditions), Strength.AND)


def disjunction(conditions: Iterable[Code]) -> Code:
    """`a or b`"""
    return Code(" or ".join(c.within(Strength.AND) for c in conditions), Strength.OR)


def negation(condition: Code) -> Code:
    """`not a`"""
    return Code(f"not {condition.within(Strength.COMPARISON)}", Strength.NOT)


def choice(value: Code, condition: Code, other: Code) -> Code:
    """`a if c else b`"""
    first = f"{value.within(Strength.OR)} if {condition.within(Strength.OR)}"
    return Code(f"{first} else {other.within(Strength.CHOICE)}", Strength.CHOICE)
