"""Tensors as views of the vectors they lie in, as Python text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.terms import extent_symbol
from symgrad.compiler.planning.plan import Monomial, Plan, size_of
from symgrad.compiler.targets.numba.printer import print_index

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sympy as sp

    from symgrad.calculus.axes import Axes


class MemoryViews:
    """Spells places in memory with the module's names for free axes."""

    def __init__(self, plan: Plan, names: Mapping[str, str], extents: Mapping[str, str]) -> None:
        self.plan, self.names, self.extents = plan, names, extents
        self.symbols = {extent_symbol(n): identifier for n, identifier in extents.items()}

    def view(self, tensor: str, stride: int = 0, function: str = "view") -> str:
        """The tensor as a view of its vector; with a stride it moves with the loop variable `layer`.

        The `function` is the module's one for compiled code, or `_array` for all other.
        """
        place = self.plan.places[tensor]
        axes = self.plan.program.tensor[tensor].axes
        if place.vector == "argument":
            return self.names[tensor]
        start = self._offset(size_of(axes)[0], place.offset, stride)
        return f"{function}({place.vector}, {start}, ({self.shape_in_memory(tensor)}))"

    def shape_in_memory(self, tensor: str) -> str:
        """The sizes of a tensor's axes, the first one last where it is stored by columns: `64, batch`."""
        axes = self.plan.program.tensor[tensor].axes
        if self.plan.is_by_columns(tensor):
            axes = (*axes[1:], axes[0])
        return f"{self.shape(axes) if axes else '1'}{',' if len(axes) < 2 else ''}"

    def _offset(self, unit: Monomial, position: int, stride: int) -> str:
        """A place in a vector: behind all smaller units, `position` of this one."""
        terms = []
        for other, amount in self.plan.work_units if unit else ():
            if other == unit:
                break
            terms.append(self._amount(other, str(amount)))
        if not stride:
            terms.append(self._amount(unit, str(position)))
        else:
            sign = "-" if stride < 0 else "+"
            moved = f"{position} {sign} {abs(stride)} * layer"
            terms.append(self._amount(unit, f"({moved})") if unit else moved)
        kept = [t for t in terms if t != "0"]
        return " + ".join(kept) or "0"

    def _amount(self, unit: Monomial, amount: str) -> str:
        if amount == "0" or not unit:
            return amount
        names = [self.extents[n] for n in unit]
        return " * ".join(names if amount == "1" else [amount, *names])

    @property
    def work_size(self) -> str:
        """The size of the workspace."""
        return " + ".join(self._amount(u, str(n)) for u, n in self.plan.work_units if n) or "0"

    def shape(self, axes: Axes) -> str:
        """The sizes of axes, as arguments of reshape."""
        return ", ".join(self.size(axis.extent) for axis in axes)

    def size(self, extent: sp.Expr) -> str:
        """A size as a term of the module."""
        return print_index(extent, self.symbols)
