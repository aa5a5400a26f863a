"""What an expression of a text may stand for where only sizes are asked after."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from symgrad.verifier.static.size_polynomials import Size, new_symbol, product, whole

if TYPE_CHECKING:
    import ast

Range: TypeAlias = tuple[Size, Size]
"""The least and the greatest of whole numbers."""

Value: TypeAlias = Any
"""A `Size`, or one of the classes below; text, a truth value or None; a tuple or dict of these."""


class _Unknown:
    """What is no matter of sizes, as numbers with a fraction, or not followed."""


UNKNOWN = _Unknown()


@dataclass(frozen=True)
class EntryKind:
    """The type of an array's entries: labels and row numbers lie in a range."""

    entries: Range | None = None


@dataclass(frozen=True)
class FollowedFunction:
    """A function of the text."""

    node: ast.FunctionDef


@dataclass(frozen=True)
class SizedArray:
    """An array: its shape, and the range of its entries where they are whole numbers that were checked."""

    shape: tuple[Size, ...]
    entries: Range | None = None

    @property
    def size(self) -> Size:
        return product(self.shape)

    def of_shape(self, shape: tuple[Size, ...]) -> SizedArray:
        return SizedArray(shape, self.entries)

    def entry(self) -> Value:
        """Any of its entries."""
        return (
            UNKNOWN if self.entries is None else new_symbol("an entry", [self.entries[0]], [self.entries[1]])
        )

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.shape))}]"


def lifted(value: Any) -> Value:
    """A plain value of a text."""
    match value:
        case bool() | str() | None:
            return value
        case int():
            return whole(value)
        case tuple() | list():
            return tuple(map(lifted, value))
        case dict():
            return {lifted(key): lifted(part) for key, part in value.items()}
        case float() | Fraction():
            return UNKNOWN
    return UNKNOWN


def joined(a: Value, b: Value) -> Value:
    """What is one of two values, whichever."""
    if a is b or (type(a) is type(b) and a == b):
        return a
    match a, b:
        case Size(), Size():
            return new_symbol("a size", choices=(a, b))
        case SizedArray(), SizedArray() if len(a.shape) == len(b.shape):
            shape = tuple(map(joined, a.shape, b.shape))
            return (
                SizedArray(shape, a.entries if a.entries == b.entries else None)
                if UNKNOWN not in shape
                else UNKNOWN
            )
        case tuple(), tuple() if len(a) == len(b):
            return tuple(map(joined, a, b))
    return UNKNOWN
