"""Statements of function bodies that call no kernel: numbers, matrix products, gradients added."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.calculus.terms import Entry, entries, extent_symbol
from symgrad.compiler.kernels.instructions import (
    Assign,
    Cell,
    Expression,
    Instruction,
    Invoke,
    Literal,
    Matrix,
    Typed,
    Variable,
    Verbatim,
)
from symgrad.compiler.kernels.lowering import Lowering, lowered_index, product

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.calculus.contraction import Contraction
    from symgrad.calculus.program import Equation
    from symgrad.compiler.kernels.memory_views import MemoryViews
    from symgrad.compiler.planning.plan import Accumulate, Plan, Product

Statement: TypeAlias = "tuple[Instruction, tuple[str, ...]]"
"""An instruction with a slot for each of its tensors, and these."""


KEY = Variable("key")
"""What numbers are drawn by: the seed, the step, and how many rows of the batch went before."""
STREAM = Variable("stream")
"""Stands for the number of a stream, which moves from one of equal layers to the next."""
_WHOLE_KEY = Verbatim("(key[0], key[1], 0)")
KEEP, SCALE = Variable("keep"), Variable("scale")
"""How much of a vector is kept, and of a gradient is taken into it: into ← keep·into + scale·g."""


class Statements:
    """Statements with the module's names for free axes."""

    def __init__(self, plan: Plan, views: MemoryViews, extents: Mapping[str, str], batch_axis: str) -> None:
        self.plan, self.views, self.batch_axis = plan, views, batch_axis
        self.known: dict[sp.Basic, Expression] = {
            extent_symbol(name): Typed(Variable(identifier)) for name, identifier in extents.items()
        }

    def scalar(self, equation: Equation) -> Statement:
        """A number computed from numbers: `loss_[0] = loss_3[0] / real(batch)`."""
        tensors = (*dict.fromkeys(e.tensor for e in entries(equation.body)), equation.target)
        slots = _slots(tensors)
        target = _cell(Entry(equation.target, equation.indices), slots)
        return Assign(target, self._number(equation.body, slots)), tensors

    def _number(self, body: sp.Expr, slots: Mapping[str, Variable]) -> Expression:
        return Lowering(lambda entry: _cell(self.plan.in_memory(entry), slots), self.known)(body)

    def product(self, step: Product) -> Statement:
        """One matrix product: `gemm(1, x, W1, 0, Z1)`, or added to a destination."""
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
        scale = [] if found.factor == 1 else [self._number(found.factor, slots)]
        if equation.target in self.plan.program.accumulated:
            return Invoke("gemm", (product([SCALE, *scale]), left, right, KEEP, target)), tensors
        return Invoke("gemm", (*(scale or [Literal(1)]), left, right, Literal(0), target)), tensors

    def accumulate(self, step: Accumulate) -> Statement:
        """A gradient, or some rows of it, added to the vector that takes it in."""
        (gradient,) = step.equation.reads
        tensors = (gradient, *([step.rows] if step.rows else ()), step.equation.target)
        function = "accumulate_rows" if step.rows else "accumulate"
        return Invoke(function, (*map(slot, range(len(tensors))), KEEP, SCALE)), tensors

    def drawing(self, equation: Equation) -> Statement:
        """Numbers of a STREAM: `draw(d_u, key, stream)`; without rows, the same in every piece of a batch."""
        has_rows = self.plan.program.tensor[equation.target].axes[0].name == self.batch_axis
        key = KEY if has_rows else _WHOLE_KEY
        return Invoke("draw", (slot(0), key, STREAM)), (equation.target,)

    def _factors(
        self, found: Contraction, slots: Mapping[str, Variable], sizes: Mapping[sp.Symbol, sp.Expr]
    ) -> tuple[Matrix, Matrix]:
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
        array: Variable,
        groups: tuple[Sequence[sp.Symbol], ...],
        transposed: bool,
        sizes: Mapping[sp.Symbol, sp.Expr],
    ) -> Matrix:
        """The tensor as a matrix (or vector) whose axes are the groups."""
        stored = tuple(g for g in (groups[::-1] if transposed else groups) if g)
        shape: tuple[Expression, ...] = ()
        if any(len(g) > 1 for g in stored):
            shape = tuple(self.views.size(sp.prod(sizes[i] for i in g)) for g in stored)
        return Matrix(array, shape, transposed and len(stored) == 2)


def slot(number: int) -> Variable:
    """The place of a statement's tensor, by its number."""
    return Variable(str(number))


def _slots(tensors: Sequence[str]) -> dict[str, Variable]:
    return {tensor: slot(number) for number, tensor in enumerate(tensors)}


def _cell(entry: Entry, slots: Mapping[str, Variable]) -> Cell:
    indices = (_cell(i, slots) if isinstance(i, Entry) else lowered_index(i, {}) for i in entry.indices)
    return Cell(slots[entry.tensor], tuple(indices))
