"""Which letters loop indices are written with: n, m, ... along free axes, i, j, k, ... along others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.terms import index_symbol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import sympy as sp

    from symgrad.calculus.axes import Axis

LETTERS = "ijklopquvw"
FREE_LETTERS = "nmsrgfech"


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
