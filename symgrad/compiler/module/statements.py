"""Statements of the drivers that call no kernel: numbers, matrix products, gradients carried on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.calculus.terms import Entry, entries, extent_symbol
from symgrad.compiler.targets.numba.printer import Printer, print_index

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.calculus.contraction import Contraction
    from symgrad.calculus.program import Equation
    from symgrad.compiler.module.memory_views import MemoryViews
    from symgrad.compiler.planning.plan import Plan, Product

Statement: TypeAlias = tuple[str, tuple[str, ...]]
"""The text with `{0}`, `{1}`, ... for its tensors, and these."""


class Statements:
    """Spells statements with the module's names for free axes."""

    def __init__(self, plan: Plan, views: MemoryViews, extents: Mapping[str, str]) -> None:
        self.plan, self.views = plan, views
        self.symbols = {extent_symbol(name): f"real({identifier})" for name, identifier in extents.items()}

    def scalar(self, equation: Equation) -> Statement:
        """A number computed from numbers: `loss_[0] = loss_3[0] / real(batch)`."""
        tensors = (*dict.fromkeys(e.tensor for e in entries(equation.body)), equation.target)
        slots = _slots(tensors)
        target = _entry_text(Entry(equation.target, equation.indices), slots)
        return f"{target} = {self._number(equation.body, slots)}", tensors

    def _number(self, body: sp.Expr, slots: Mapping[str, str]) -> str:
        return Printer(lambda entry: _entry_text(entry, slots), self.symbols)(body)

    def product(self, step: Product) -> Statement:
        """One matrix product: `gemm(1, x, W1, 0, Z1)`, or added to what is carried."""
        found, equation = step.contraction, step.equation
        tensors = tuple(
            dict.fromkeys(
                (found.left, found.right, equation.target, *(e.tensor for e in entries(found.factor)))
            )
        )
        slots = _slots(tensors)
        sizes = {loop.index: loop.axis.extent for loop in equation.loops}
        left, right = self._factors(found, slots, sizes)
        target = self._matrix(slots[equation.target], (found.rows, found.columns), False, sizes)
        scale = "1" if found.factor == 1 else self._number(found.factor, slots)
        keep = "0"
        if equation.target in self.plan.program.carried:
            scale, keep = ("scale" if scale == "1" else f"scale * ({scale})"), "keep"
        return f"gemm({scale}, {left}, {right}, {keep}, {target})", tensors

    def carry(self, equation: Equation) -> Statement:
        """A gradient added to the vector that takes it in."""
        (gradient,) = equation.reads
        return "carry({0}, {1}, keep, scale)", (gradient, equation.target)

    def _factors(
        self, found: Contraction, slots: Mapping[str, str], sizes: Mapping[sp.Symbol, sp.Expr]
    ) -> tuple[str, str]:
        """The operands of gemm; a vector stands on the right."""
        left = self._matrix(slots[found.left], (found.rows, found.inner), found.left_transposed, sizes)
        if found.rows:
            right = self._matrix(
                slots[found.right], (found.inner, found.columns), found.right_transposed, sizes
            )
            return left, right
        groups = (found.columns, found.inner)
        return self._matrix(slots[found.right], groups, not found.right_transposed, sizes), left

    def _matrix(
        self,
        name: str,
        groups: tuple[Sequence[sp.Symbol], ...],
        transposed: bool,
        sizes: Mapping[sp.Symbol, sp.Expr],
    ) -> str:
        """The tensor as a matrix (or vector) whose axes are the groups."""
        stored = tuple(g for g in (groups[::-1] if transposed else groups) if g)
        if any(len(g) > 1 for g in stored):
            shape = [self.views.size(sp.prod(sizes[i] for i in g)) for g in stored]
            name = f"{name}.reshape({', '.join(shape)})"
        return f"{name}.T" if transposed and len(stored) == 2 else name


def _slots(tensors: Sequence[str]) -> dict[str, str]:
    return {tensor: f"{{{number}}}" for number, tensor in enumerate(tensors)}


def _entry_text(entry: Entry, slots: Mapping[str, str]) -> str:
    places = [_entry_text(i, slots) if isinstance(i, Entry) else print_index(i, {}) for i in entry.indices]
    return f"{slots[entry.tensor]}[{', '.join(places) or '0'}]"
