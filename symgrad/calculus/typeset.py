"""What a formula looks like, before a style spells it: a tree of names, sums, products, fractions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

ProductKind: TypeAlias = Literal["numbers", "matrices", "entries", "outer"]


@dataclass(frozen=True)
class Name:
    """A tensor, a size or an index; a cotangent `dZ` is written with its d set apart."""

    text: str
    is_cotangent: bool = False


@dataclass(frozen=True)
class Number:
    """An exact number."""

    value: Fraction


@dataclass(frozen=True)
class Indexed:
    """One entry: `Z[n,i]`."""

    base: Formula
    indices: tuple[Formula, ...]


@dataclass(frozen=True)
class Transposed:
    """A matrix with its axes exchanged."""

    base: Formula


@dataclass(frozen=True)
class Spread:
    """A vector that stands in every column of a matrix."""

    base: Formula


@dataclass(frozen=True)
class Sum:
    """Terms with their signs, True for minus; a negation is a sum of one term."""

    terms: tuple[tuple[bool, Formula], ...]


@dataclass(frozen=True)
class Product:
    """Factors joined as numbers, as matrices, entry by entry, or each entry with each."""

    kind: ProductKind
    factors: tuple[Formula, ...]


@dataclass(frozen=True)
class Quotient:
    """`above / below`, entry by entry."""

    above: Formula
    below: Formula


@dataclass(frozen=True)
class Power:
    """`base` to `exponent`, entry by entry."""

    base: Formula
    exponent: Formula


@dataclass(frozen=True)
class Root:
    """A square root."""

    inner: Formula


@dataclass(frozen=True)
class Absolute:
    """An absolute value."""

    inner: Formula


@dataclass(frozen=True)
class Norm:
    """The Euclidean norm."""

    inner: Formula


@dataclass(frozen=True)
class Call:
    """A function of its arguments; `is_slope` marks its derivative: `relu'(Z)`."""

    function: str
    arguments: tuple[Formula, ...]
    is_slope: bool = False


@dataclass(frozen=True)
class Reduced:
    """A reduction of `body` over indices."""

    kind: str
    indices: tuple[Formula, ...]
    body: Formula


@dataclass(frozen=True)
class Choice:
    """Values with their conditions, the first that holds decides; the last has none."""

    branches: tuple[tuple[Formula, Formula | None], ...]


@dataclass(frozen=True)
class Relation:
    """`left operator right`: an equality, an assignment, a condition."""

    left: Formula
    operator: str
    right: Formula


Formula: TypeAlias = (
    Name
    | Number
    | Indexed
    | Transposed
    | Spread
    | Sum
    | Product
    | Quotient
    | Power
    | Root
    | Absolute
    | Norm
    | Call
    | Reduced
    | Choice
    | Relation
)

MAX_DIGITS = 12
MAX_DENOMINATOR = 10_000


def negated(formula: Formula) -> Formula:
    """`-formula`."""
    negative, positive = signed(formula)
    return positive if negative else Sum(((True, formula),))


def signed(formula: Formula) -> tuple[bool, Formula]:
    """(True, a) for `-a`, (False, a) for `a`."""
    match formula:
        case Sum(((True, inner),)):
            return True, inner
    return False, formula


def total(terms: Iterable[tuple[bool, Formula]]) -> Formula:
    """The sum of signed terms, with sums among them opened."""
    flat: list[tuple[bool, Formula]] = []
    for negative, term in terms:
        inner = term.terms if isinstance(term, Sum) else ((False, term),)
        flat += [(negative != minus, part) for minus, part in inner]
    return Sum(tuple(flat))


def quotient(above: Formula, below: Formula) -> Formula:
    """`above / below`, the sign before the line; (a/2)/N becomes a/(2·N)."""
    negative, positive = signed(above)
    if isinstance(positive, Quotient) and isinstance(positive.below, Name | Number | Product):
        inner = positive.below
        parts = inner.factors if isinstance(inner, Product) else (inner,)
        if all(isinstance(part, Name | Number) for part in parts):
            others = below.factors if isinstance(below, Product) and below.kind == "numbers" else (below,)
            positive, below = positive.above, Product("numbers", (*others, *parts))
    return negated(Quotient(positive, below)) if negative else Quotient(positive, below)


def product(kind: ProductKind, factors: Iterable[Formula]) -> Formula:
    """The product of factors, the sign before the first."""
    pairs = [signed(f) for f in factors]
    parts = tuple(part for _, part in pairs)
    found = parts[0] if len(parts) == 1 else Product(kind, parts)
    return negated(found) if sum(minus for minus, _ in pairs) % 2 else found


def decimal(value: Fraction) -> str | None:
    """`0.003` where that is how people write the number; None where 3 or 2/3 or 1/8 is."""
    rest, fives = value.denominator, 0
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    terminates = rest & (rest - 1) == 0
    if terminates and (fives or rest > 64):
        return _shortest(value)
    is_plain = value.denominator < MAX_DENOMINATOR and abs(value.numerator) < MAX_DENOMINATOR
    return None if is_plain or value.denominator == 1 else _shortest(value)


def _shortest(value: Fraction) -> str:
    text = f"{float(value):.{MAX_DIGITS}g}"
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else text
