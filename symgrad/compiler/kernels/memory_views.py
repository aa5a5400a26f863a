"""Tensors as views of the vectors they lie in."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from symgrad.calculus.terms import extent_symbol
from symgrad.compiler.kernels.instructions import Expression, Literal, Summed, Variable, Window
from symgrad.compiler.kernels.lowering import lowered_index, product
from symgrad.compiler.planning.plan import Monomial, Plan, size_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sympy as sp

    from symgrad.calculus.axes import Axes

LAYER = Variable("layer")
"""What counts equal layers."""


class MemoryViews:
    """Places in memory with the module's names for free axes."""

    def __init__(self, plan: Plan, names: Mapping[str, str], extents: Mapping[str, str]) -> None:
        self.plan, self.names, self.extents = plan, names, extents
        self.known: dict[sp.Basic, Expression] = {
            extent_symbol(n): Variable(identifier) for n, identifier in extents.items()
        }

    def view(self, tensor: str, stride: int = 0) -> Expression:
        """The tensor as a view of its vector; with a stride it moves from one LAYER to the next."""
        place = self.plan.places[tensor]
        if place.vector == "argument":
            return Variable(self.names[tensor])
        unit, _ = size_of(self.plan.axes_in_memory(tensor))
        start = self._offset(unit, place.offset, stride)
        return Window(Variable(place.vector), start, self.shape_in_memory(tensor))

    def shape_in_memory(self, tensor: str) -> tuple[Expression, ...]:
        """The sizes of a tensor's axes, the first one last where it is stored by columns; one of a number."""
        axes = self.plan.axes_in_memory(tensor)
        if self.plan.is_by_columns(tensor):
            axes = (*axes[1:], axes[0])
        return self.shape(axes) or (Literal(1),)

    def _offset(self, unit: Monomial, position: int, stride: int) -> Expression:
        """A place in a vector: behind all smaller units, `position` of this one."""
        smaller = takewhile(lambda other: other[0] != unit, self.plan.work_units if unit else ())
        before = [self._amount(other, Literal(amount)) for other, amount in smaller if amount]
        if not stride:
            return _total([*before, self._amount(unit, Literal(position))] if position else before)
        moved = self.moving(position, stride)
        return _total([*before, self._amount(unit, moved)]) if unit else moved

    def moving(self, number: int, stride: int) -> Expression:
        """A number; with a stride it moves from one LAYER to the next."""
        if not stride:
            return Literal(number)
        return Summed(((False, Literal(number)), (stride < 0, product([Literal(abs(stride)), LAYER]))))

    def _amount(self, unit: Monomial, amount: Expression) -> Expression:
        """So many numbers for each product of free axes."""
        names = [Variable(self.extents[n]) for n in unit]
        return product(names if names and amount == Literal(1) else [amount, *names])

    @property
    def work_size(self) -> Expression:
        """The size of the workspace."""
        return _total([self._amount(unit, Literal(n)) for unit, n in self.plan.work_units if n])

    def shape(self, axes: Axes) -> tuple[Expression, ...]:
        """The sizes of axes."""
        return tuple(self.size(axis.extent) for axis in axes)

    def size(self, extent: sp.Expr) -> Expression:
        """A size as the module knows it."""
        return lowered_index(extent, self.known)


def _total(terms: list[Expression]) -> Expression:
    if len(terms) < 2:
        return terms[0] if terms else Literal(0)
    return Summed(tuple((False, term) for term in terms))
