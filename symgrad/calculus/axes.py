"""Axes of tensors: sizes that are known, or that the data decides; indices along them and how far they reach.

Where a size is only known when the data is, `X[n, 2*i + u]` is shown to stay inside its axis for all sizes,
or for all from a least one on: then a module asks for data that are so long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, count
from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.calculus.terms import extent_symbol, index_symbol, leading
from symgrad.errors import InternalError
from symgrad.spec.language.sizes.size_forms import SizeForm, free_size, is_never_negative, may_hold

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from symgrad.spec.language.sizes.size_forms import Whole

LETTERS = "ijklopquvw"
FREE_LETTERS = "nmsrgfech"


@dataclass(frozen=True)
class Axis:
    """A size, a free name whose size the data decides, or a named size.

    One whose size follows from those of free axes has it as a `form`, and bears its text as a name.
    One that is `of_parts` counts the parts of a recurrence, by whose name they are told from those of others:
    they are computed one after another, and all that runs over it is computed in one loop. One that is
    `within` another counts the steps of a part, of which the last one has those alone that the other has.
    Its `letter` is what formulas call an index along it, where they name one: the same axis bears several.
    """

    name: str | None
    size: int | None
    form: SizeForm | None = None
    of_parts: str = ""
    within: Axis | None = None
    letter: str = field(default="", compare=False)

    @staticmethod
    def of(size: Whole, name: str | None = None) -> Axis:
        """The axis of a size; `name` is that of a number."""
        if isinstance(size, int):
            return Axis(name, size)
        is_free = size.free == {str(size)}
        return Axis(str(size), None) if is_free else Axis(f"({size})", None, size)

    @property
    def whole(self) -> Whole:
        """The size to compute with."""
        if self.size is not None:
            return self.size
        return self.form or free_size(str(self.name))

    @property
    def is_free(self) -> bool:
        """Whether the data decides the size."""
        return self.size is None

    @property
    def at_large(self) -> Axis:
        """The axis of its size that counts nothing in particular."""
        return Axis(self.name, self.size, self.form) if self.of_parts or self.within else self

    @property
    def label(self) -> int | str:
        """The size, or the name of a free axis."""
        return self.size if self.size is not None else str(self.name)

    @property
    def extent(self) -> sp.Expr:
        """The size as a term: a number, or a symbol for a free axis."""
        return sp.Integer(self.size) if self.size is not None else extent_symbol(self.name)

    def place(self, number: Whole) -> sp.Expr:
        """A place on the axis as a term: a number, or so many before its end."""
        if isinstance(number, int):
            return sp.Integer(number)
        behind = number - self.whole
        if not isinstance(behind, int):
            raise InternalError(f"{number} is no place on {self}")
        return self.extent + behind

    def fits(self, other: Axis) -> bool:
        """Whether the two always have the same size."""
        is_alike = self.size == other.size and self.within == other.within
        return is_alike and (self.size is not None or self.name == other.name)

    def is_shorter(self, other: Axis) -> bool:
        """Whether the two differ and this is never the longer one."""
        return not self.fits(other) and is_never_negative(other.whole - self.whole)

    def is_alike(self, other: Axis) -> bool:
        """Whether the two are one axis to the user: of one size, and of no two names."""
        return self.fits(other) and (self.name == other.name or self.name is None or other.name is None)

    def __str__(self) -> str:
        return self.name or str(self.size)


Axes: TypeAlias = tuple[Axis, ...]


def show_axes(axes: Axes) -> str:
    """`[batch, 10]`"""
    return f"[{', '.join(map(str, axes))}]"


def standard_indices(axes: Iterable[Axis]) -> tuple[sp.Symbol, ...]:
    """An index for each axis, by their sizes alone: n, m, ... for free axes, i, j, k, ... for others."""
    found: list[str] = []
    for axis in axes:
        found.append(_unused_letter(axis, found))
    return tuple(map(index_symbol, found))


def letters(
    axes: Sequence[Axis], taken: Collection[str], together: Sequence[Collection[int]] = ()
) -> tuple[sp.Symbol, ...]:
    """An index for each axis as a reader knows it, none of the `taken` names: what formulas call it, if it
    is free, else the standard one.

    All are different, or those of each group of numbers of axes that stand `together`.
    """
    groups = together or [range(len(axes))]
    found: dict[int, str] = {}

    def others(number: int) -> set[str]:
        beside = {other for group in groups if number in group for other in group}
        return {*taken, *(found[other] for other in beside & found.keys())}

    for number, axis in enumerate(axes):
        if axis.letter and axis.letter not in others(number):
            found[number] = axis.letter
    for number, axis in enumerate(axes):
        if number not in found:
            found[number] = _unused_letter(axis, others(number))
    return tuple(index_symbol(found[number]) for number in range(len(axes)))


def _unused_letter(axis: Axis, taken: Collection[str]) -> str:
    numbered = (f"i{number}" for number in count(1))
    possible = chain(FREE_LETTERS if axis.is_free else LETTERS, numbered)
    return next(name for name in possible if name not in taken)


def span(
    index: sp.Expr, loops: Mapping[sp.Symbol, Axis], sizes: Mapping[sp.Symbol, Whole]
) -> tuple[Whole, Whole]:
    """The least and the greatest value of an affine form of loops' indices and of sizes."""
    form, loops = _over_whole_steps(index.replace(leading, lambda inner: inner), loops)
    constant, terms = form.as_coeff_Add()
    lowest: Whole = int(constant)
    highest: Whole = int(constant)
    for term in sp.Add.make_args(terms) if terms else ():
        factor, symbol = term.as_coeff_Mul()
        if symbol in loops:
            last = int(factor) * (loops[symbol].whole - 1)
            lowest, highest = (lowest, highest + last) if factor > 0 else (lowest + last, highest)
        else:
            size = int(factor) * sizes[symbol]
            lowest, highest = lowest + size, highest + size
    return lowest, highest


def _over_whole_steps(
    form: sp.Expr, loops: Mapping[sp.Symbol, Axis]
) -> tuple[sp.Expr, Mapping[sp.Symbol, Axis]]:
    """An affine form of parts and of steps in each as one of the steps that these are `within`."""
    for step, axis in [*loops.items()]:
        if axis.within is not None and step in form.free_symbols:
            part = next(index for index, other in loops.items() if other.of_parts)
            told = sp.expand(form.xreplace({step: step - axis.size * part}))
            if part not in told.free_symbols:
                form, loops = told, {**loops, step: axis.within}
    return form, loops


def room(
    index: sp.Expr, axis: Axis, loops: Mapping[sp.Symbol, Axis], sizes: Mapping[sp.Symbol, Whole]
) -> tuple[Whole, Whole]:
    """How far an index stays from the ends of an axis, below and above: inside, neither is ever negative."""
    lowest, highest = span(index, loops, sizes)
    return lowest, axis.whole - 1 - highest


def is_inside(
    index: sp.Expr, axis: Axis, loops: Mapping[sp.Symbol, Axis], sizes: Mapping[sp.Symbol, Whole]
) -> bool:
    """Whether an affine index lies on the axis where the data are long enough."""
    return all(map(may_hold, room(index, axis, loops, sizes)))
