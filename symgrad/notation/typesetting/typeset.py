"""What a formula looks like, before a style spells it: a tree of names, sums, products, fractions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from fractions import Fraction

ProductKind: TypeAlias = Literal["numbers", "matrices", "entries", "outer", "kronecker"]


@dataclass(frozen=True)
class NameText:
    """A tensor, a size or an index; a cotangent `dZ` is written with its d set apart."""

    text: str
    is_cotangent: bool = False


@dataclass(frozen=True)
class Symbol:
    """A sign that stands for a name: `Ω¹`. See `symbols.py` for what it may be."""

    text: str


@dataclass(frozen=True)
class Ones:
    """A column of as many ones as an axis is long."""

    size: Formula


@dataclass(frozen=True)
class IdentityMatrix:
    """The matrix with ones on its diagonal, of as many rows as an axis is long."""

    size: Formula


@dataclass(frozen=True)
class NumberText:
    """An exact number."""

    value: Fraction


@dataclass(frozen=True)
class Indexed:
    """One entry: `Z[n,i]`."""

    base: Formula
    indices: tuple[Formula, ...]


@dataclass(frozen=True)
class Subscripted:
    """One entry as a variable of its own, its indices counted from 1: `W₁₂`."""

    base: Formula
    indices: tuple[Formula, ...]


@dataclass(frozen=True)
class Partial:
    """A derivative with respect to one after another: `∂Z[n,i]/∂W[j,k]`, `∂²u/∂x²`, `∂²u/∂x∂t`."""

    of: Formula
    by: tuple[Formula, ...]


@dataclass(frozen=True)
class Transposed:
    """A matrix with its axes exchanged."""

    base: Formula


@dataclass(frozen=True)
class Spread:
    """A vector that stands in every column of a matrix, or, laid down, in every row.

    A tensor of more `places` stands along a last axis in the same way.
    """

    base: Formula
    in_rows: bool = False
    places: int = 1


@dataclass(frozen=True)
class Sum:
    """Terms with their signs, True for minus; a negation is a sum of one term."""

    terms: tuple[tuple[bool, Formula], ...]


@dataclass(frozen=True)
class ProductText:
    """Factors joined as numbers, as matrices, entry by entry, each entry with each, or as Kronecker has it,
    each entry with all of the next matrix."""

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
class CallText:
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
    NameText
    | Symbol
    | Ones
    | IdentityMatrix
    | NumberText
    | Indexed
    | Subscripted
    | Partial
    | Transposed
    | Spread
    | Sum
    | ProductText
    | Quotient
    | Power
    | Root
    | Absolute
    | Norm
    | CallText
    | Reduced
    | Choice
    | Relation
)

MAX_DIGITS = 12
MAX_DENOMINATOR = 10_000


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
