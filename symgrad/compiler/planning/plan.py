"""The plan of a module: in which steps it computes, and where every tensor lies in memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.axes import Axes
    from symgrad.calculus.contraction import Contraction
    from symgrad.calculus.program import Equation, Loop, Program

PhaseName: TypeAlias = Literal["forward", "prediction", "loss", "gradient"]
Mode: TypeAlias = Literal["each", "row", "columns", "total", "general"]


@dataclass(frozen=True)
class Statement:
    """One equation inside a sweep.

    `mode` says what it does in a row: define `each` entry of it, reduce all of it to one number per
    `row`, add it to sums over all rows (`columns`), to one number (`total`), or anything else (`general`).
    """

    equation: Equation
    mode: Mode


@dataclass(frozen=True)
class Block:
    """Statements that share their inner loops, the row's own loop not among them."""

    loops: tuple[Loop, ...]
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Sweep:
    """One kernel: a pass over the rows, block after block. `local` tensors never leave it."""

    row: Loop | None
    blocks: tuple[Block, ...]
    local: frozenset[str] = frozenset()

    @cached_property
    def equations(self) -> tuple[Equation, ...]:
        return tuple(s.equation for block in self.blocks for s in block.statements)

    def is_once_a_row(self, block: Block) -> bool:
        """Whether a block is computed once for a row, beside the loops of others: nothing is vectorised."""
        return not block.loops and any(b.loops for b in self.blocks)


@dataclass(frozen=True)
class Nest:
    """Loops over features, inside them one over samples, inside it what each equation sums over."""

    outer: tuple[Loop, ...]
    row: Loop | None
    equations: tuple[Equation, ...]


@dataclass(frozen=True)
class ColumnSweep:
    """One kernel over tensors stored by columns, nest after nest. `local` tensors never leave it."""

    nests: tuple[Nest, ...]
    local: frozenset[str] = frozenset()

    @cached_property
    def equations(self) -> tuple[Equation, ...]:
        return tuple(equation for nest in self.nests for equation in nest.equations)


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
    """One number computed from numbers."""

    equation: Equation

    @property
    def equations(self) -> tuple[Equation, ...]:
        return (self.equation,)


@dataclass(frozen=True)
class Carry:
    """A gradient added to the vector that gathers them: into ← keep·into + scale·g."""

    equation: Equation

    @property
    def equations(self) -> tuple[Equation, ...]:
        return (self.equation,)


Step: TypeAlias = Sweep | ColumnSweep | Product | Scalar | Carry


@dataclass(frozen=True)
class Phase:
    """The steps that a caller may ask for: forward, then prediction or loss, then gradient."""

    name: PhaseName
    steps: tuple[Step, ...]


Monomial: TypeAlias = tuple[str, ...]
"""A product of free axes: the unit in which sizes and offsets are counted."""


@dataclass(frozen=True)
class Place:
    """Where a tensor lies: `offset` counts units of its own size's free axes, behind all smaller units."""

    vector: Literal["argument", "theta", "grad", "into", "work"]
    unit: Monomial
    offset: int


@dataclass(frozen=True)
class Plan:
    """Phases, and the place of every tensor that is not local to a sweep; constants come first of all work.

    `work_units` gives the size of the workspace: so many numbers for each product of free axes.
    `shared` names the tensor that a temporary hands its memory to, entry by entry.
    `column_axis` is the axis that lies innermost in memory where tensors are stored by columns, else empty.
    """

    program: Program
    phases: tuple[Phase, ...]
    places: Mapping[str, Place]
    work_units: tuple[tuple[Monomial, int], ...]
    parameter_count: int
    shared: Mapping[str, str]
    column_axis: str = ""

    def is_by_columns(self, tensor: str) -> bool:
        """Whether the first axis of a tensor is its last one in memory."""
        axes = self.program.tensor[tensor].axes
        return len(axes) > 1 and axes[0].size is None and axes[0].name == self.column_axis != ""

    def memory_name(self, tensor: str) -> str:
        """The tensor whose name the memory of `tensor` bears in the module."""
        while tensor in self.shared:
            tensor = self.shared[tensor]
        return tensor


def size_of(axes: Axes) -> tuple[Monomial, int]:
    """The number of entries as a product of free axes and a number."""
    free = tuple(sorted(axis.name or "" for axis in axes if axis.size is None))
    number = 1
    for axis in axes:
        number *= axis.size or 1
    return free, number
