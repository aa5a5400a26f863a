"""Axes of tensors: sizes that are known, or that the data decides; the letters of indices along them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.calculus.terms import extent_symbol, index_symbol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

LETTERS = "ijklopquvw"
FREE_LETTERS = "nmsrgfech"


@dataclass(frozen=True)
class Axis:
    """A size, a free name whose size the data decides, or a named size."""

    name: str | None
    size: int | None

    @property
    def is_free(self) -> bool:
        """Whether the data decides the size."""
        return self.size is None

    @property
    def label(self) -> int | str:
        """The size, or the name of a free axis."""
        return self.size if self.size is not None else str(self.name)

    @property
    def extent(self) -> sp.Expr:
        """The size as a term: a number, or a symbol for a free axis."""
        return sp.Integer(self.size) if self.size is not None else extent_symbol(self.name)

    def fits(self, other: Axis) -> bool:
        """Whether the two always have the same size."""
        return self.size == other.size and (self.size is not None or self.name == other.name)

    def is_alike(self, other: Axis) -> bool:
        """Whether the two are one axis to the user: of one size, and of no two names."""
        return self.fits(other) and (self.name == other.name or self.name is None or other.name is None)

    def __str__(self) -> str:
        return self.name or str(self.size)


Axes: TypeAlias = tuple[Axis, ...]


def show_axes(axes: Axes) -> str:
    """`[batch, 10]`"""
    return f"[{', '.join(map(str, axes))}]"


def letter(axis: Axis, taken: Collection[str]) -> sp.Symbol:
    """An index for an axis that bears none of the `taken` names."""
    letters = FREE_LETTERS if axis.is_free else LETTERS
    return index_symbol(next((c for c in letters if c not in taken), f"i{len(taken)}"))


def letters(axes: Iterable[Axis], taken: Collection[str]) -> tuple[sp.Symbol, ...]:
    """An index for each axis, all different."""
    found: list[sp.Symbol] = []
    for axis in axes:
        found.append(letter(axis, {*taken, *(index.name for index in found)}))
    return tuple(found)
