"""The plan of a module: in which steps it computes, and where every tensor lies in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Literal, TypeAlias

import sympy as sp

from symgrad.calculus.terms import Entry
from symgrad.passes.scattering.tilings import tiled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.calculus.axes import Axes, Axis
    from symgrad.calculus.contraction import Contraction
    from symgrad.calculus.program import Equation, Loop, Program, Tensor

PhaseName: TypeAlias = Literal["forward", "prediction", "evaluation", "loss", "gradient", "update"]


@dataclass(frozen=True)
class LoopNest:
    """Loops, the outermost first, and inside them in order: equations, or nests of their own.

    A kernel is a nest. What an equation reduces beyond the loops around it are loops of its own, inside all
    others. `local` tensors never leave the kernel: they are made and used in the same loops. In a nest of
    `products` stands one equation, at every turn a product of two matrices that is left to BLAS.
    One over the steps of a recurrence has tensors that are `carried` from each turn to the next, and may go
    `back`, from the last step to the first.
    """

    loops: tuple[Loop, ...]
    body: tuple[LoopNest | Equation, ...]
    local: frozenset[str] = frozenset()
    products: bool = False
    carried: tuple[Tensor, ...] = ()
    back: bool = False

    @cached_property
    def equations(self) -> tuple[Equation, ...]:
        """All equations, in order."""
        parts = (part.equations if isinstance(part, LoopNest) else (part,) for part in self.body)
        return tuple(chain.from_iterable(parts))

    @property
    def recurrences(self) -> Iterator[LoopNest]:
        """What in it hands something from turn to turn: itself, or nests inside, as in each part of one."""
        if self.carried:
            yield self
        for part in self.body:
            if isinstance(part, LoopNest):
                yield from part.recurrences

    @property
    def all_carried(self) -> tuple[Tensor, ...]:
        """All that is carried from turn to turn of its loops."""
        return tuple(tensor for nest in self.recurrences for tensor in nest.carried)

    @property
    def counted(self) -> Axis | None:
        """Where it is a loop over parts, the axis of the steps in each if the last part may have fewer."""
        loops = (loop for e in self.equations for loop in e.loops if loop.axis.within is not None)
        is_over_parts = bool(self.loops) and bool(self.loops[0].axis.of_parts)
        return next((loop.axis for loop in loops if is_over_parts), None)

    @property
    def has_products(self) -> bool:
        """Whether a product of matrices stands somewhere in it."""
        return self.products or any(part.has_products for part in self.body if isinstance(part, LoopNest))

    @property
    def has_masked_products(self) -> bool:
        """Whether in such a product what is multiplied by 0 must not be looked at."""
        if self.products:
            return bool(self.equations[0].body.has(sp.Piecewise))
        return any(part.has_masked_products for part in self.body if isinstance(part, LoopNest))

    def parts(self, around: tuple[Loop, ...] = ()) -> Iterator[tuple[tuple[Loop, ...], tuple[Equation, ...]]]:
        """Equations that stand in the same loops, in order, each group with all loops around it."""
        loops = (*around, *self.loops)
        own = tuple(part for part in self.body if not isinstance(part, LoopNest))
        if own:
            yield loops, own
        for part in self.body:
            if isinstance(part, LoopNest):
                yield from part.parts(loops)

    def is_once_a_row(self, part: LoopNest) -> bool:
        """Whether a part is computed once, beside the loops of others: nothing in it is vectorised."""
        beside = [other for other in self.body if isinstance(other, LoopNest) and other.loops]
        return bool(self.loops and beside) and not part.loops


@dataclass(frozen=True)
class Product:
    """One matrix product, left to BLAS."""

    equation: Equation
    contraction: Contraction

    @property
    def equations(self) -> tuple[Equation, ...]:
        return (self.equation,)


@dataclass(frozen=True)
class Scalar:
    """One number computed from numbers; in a step of the optimiser it may be the norm of a vector."""

    equation: Equation

    @property
    def equations(self) -> tuple[Equation, ...]:
        return (self.equation,)


@dataclass(frozen=True)
class Accumulate:
    """A gradient added to its destination: destination ← keep·destination + scale·g.

    Where `rows` names a tensor of whole numbers, the gradient is 0 in all rows but these, and only these
    of it are formed.
    """

    equation: Equation
    rows: str = ""

    @property
    def equations(self) -> tuple[Equation, ...]:
        return (self.equation,)


@dataclass(frozen=True)
class Draw:
    """Numbers drawn for all entries of a tensor."""

    equation: Equation

    @property
    def equations(self) -> tuple[Equation, ...]:
        return (self.equation,)


Step: TypeAlias = LoopNest | Product | Scalar | Accumulate | Draw


@dataclass(frozen=True)
class Phase:
    """The steps that a caller may ask for: forward, then prediction or loss, then gradient.

    Where training and inference differ, the loss begins anew, and an evaluation follows the forward pass.
    """

    name: PhaseName
    steps: tuple[Step, ...]


Monomial: TypeAlias = tuple[str, ...]
"""A product of free axes: the unit in which sizes and offsets are counted."""


Vector: TypeAlias = Literal["argument", "theta", "grad", "destination", "direction", "product", "work"]
"""What a tensor lies in: an array of a caller's, a vector of the parameters' size, or the workspace."""


@dataclass(frozen=True)
class Place:
    """Where a tensor lies: `offset` counts units of its own size's free axes, behind all smaller units."""

    vector: Vector
    unit: Monomial
    offset: int


@dataclass(frozen=True)
class Plan:
    """Phases, and the place of every tensor that is not local to a kernel; constants come first of all work.

    `work_units` gives the size of the workspace: so many numbers for each product of free axes.
    `shared` names the tensor that a temporary hands its memory to, entry by entry.
    `blocks` names the memory in which a sum over rows gathers those of a block, before they are added to it,
    and `rows` the axis of these, where sums along it might lose digits.
    Of the tensors `by_rows` one row lies in memory, which each row of a nest's loop makes anew.
    `looked_up` are gradients of which some rows alone are formed, with the data that name these rows.
    `kept` stay in the workspace to the end of the gradient, for those who ask then.
    `column_axis` is the axis that lies innermost in memory where tensors are stored by columns, else empty.
    """

    program: Program
    phases: tuple[Phase, ...]
    places: Mapping[str, Place]
    work_units: tuple[tuple[Monomial, int], ...]
    parameter_count: int
    shared: Mapping[str, str]
    blocks: Mapping[str, str] = field(default_factory=dict)
    rows: str = ""
    column_axis: str = ""
    by_rows: frozenset[str] = frozenset()
    looked_up: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()

    @property
    def before_gradient(self) -> tuple[PhaseName, ...]:
        """The phases that the gradient needs."""
        return ("loss",) if self.program.evaluation else ("forward", "loss")

    @property
    def has_products(self) -> bool:
        """Whether BLAS is called."""
        steps = (step for phase in self.phases for step in phase.steps)
        return any(
            step.has_products if isinstance(step, LoopNest) else isinstance(step, Product) for step in steps
        )

    @property
    def has_masked_products(self) -> bool:
        """Whether a product of matrices leaves out what is multiplied by 0."""
        nests = (step for phase in self.phases for step in phase.steps if isinstance(step, LoopNest))
        return any(nest.has_masked_products for nest in nests)

    @cached_property
    def tiled(self) -> frozenset[str]:
        """What scatters write once into each entry: it is neither cleared nor added to."""
        return tiled(self.program)

    def is_by_columns(self, tensor: str) -> bool:
        """Whether the first axis of a tensor is its last one in memory."""
        axes = self.program.tensor[tensor].axes
        return len(axes) > 1 and axes[0].is_free and axes[0].name == self.column_axis != ""

    def axes_in_memory(self, tensor: str) -> Axes:
        """The axes of a tensor, without its rows where it has one at a time; in the order of its indices."""
        axes = self.program.tensor[tensor].axes
        return axes[1:] if tensor in self.by_rows else axes

    def in_memory(self, entry: Entry) -> Entry:
        """The entry as it lies: of what has one row at a time, in that row."""
        return Entry(entry.tensor, entry.indices[1:]) if entry.tensor in self.by_rows else entry

    def memory_name(self, tensor: str) -> str:
        """The tensor whose name the memory of `tensor` bears in the module."""
        while tensor in self.shared:
            tensor = self.shared[tensor]
        return tensor


def size_of(axes: Axes) -> tuple[Monomial, int]:
    """The number of entries as a product of free axes and a number."""
    free = tuple(sorted(axis.name or "" for axis in axes if axis.is_free))
    number = 1
    for axis in axes:
        number *= axis.size or 1
    return free, number
