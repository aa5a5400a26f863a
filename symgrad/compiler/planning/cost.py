"""What a step of training computes and moves: operations on numbers and bytes, counted from the plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.contraction import as_contraction
from symgrad.calculus.terms import entries
from symgrad.compiler.planning.accumulation import accumulation_of
from symgrad.compiler.planning.residuals import BYTES
from symgrad.compiler.planning.update_plan import plan_update
from symgrad.elaborate.optimizer import ENTRIES, after_gradient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from symgrad.calculus.axes import Axis
    from symgrad.calculus.program import Equation, Program, Tensor
    from symgrad.compiler.planning.plan import PhaseName, Plan, Step

_LABEL_BYTES = 8
_OF_REDUCTION = {"none": 0, "norm": 2}
"""Operations for every value that is reduced: one, but for a norm a square and a sum."""


@dataclass(frozen=True)
class Cost:
    """Operations on numbers, and bytes that are read or written."""

    flops: int = 0
    bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.flops + other.flops, self.bytes + other.bytes)


@dataclass(frozen=True)
class CostModel:
    """Counts for a plan where its free axes have these sizes and its numbers this type.

    A product of matrices takes 2·m·n·k operations. Any other equation takes those of its formula as it is
    written, a call of a function counting as one, for every value of its loops. A step moves every tensor
    that it does not keep to itself once, or as many of its entries as it looks up where those are fewer.
    """

    plan: Plan
    sizes: Mapping[str, int]
    dtype: str

    def of_rows(self, axis: str, rows: int) -> CostModel:
        """The same for another number of rows."""
        return replace(self, sizes={**self.sizes, axis: rows})

    def phase(self, name: PhaseName) -> tuple[Cost, ...]:
        """What each step of a phase costs."""
        return tuple(map(self.step, self._steps(name)))

    def equations(self, name: PhaseName) -> tuple[Equation, ...]:
        """The equations of a phase, in order."""
        return tuple(equation for step in self._steps(name) for equation in step.equations)

    def _steps(self, *names: PhaseName) -> list[Step]:
        return [step for phase in self.plan.phases if phase.name in names for step in phase.steps]

    def step(self, step: Step) -> Cost:
        """What a step costs: a pass over rows, a product, or a number."""
        moved: dict[str, int] = {}
        for equation in step.equations:
            read = [
                e.tensor
                for e in (*entries(equation.body), *(e for p in equation.indices for e in entries(p)))
            ]
            for name in (*read, equation.target):
                moved[name] = moved.get(name, 0) + self._iterations(equation)
        tensors = [
            (self.plan.program.tensor[name], looks)
            for name, looks in moved.items()
            if name in self.plan.places and name not in self.plan.by_rows
        ]
        added_to = [
            (tensor, looks) for tensor, looks in tensors if tensor.name in self.plan.program.accumulated
        ]
        return Cost(
            sum(map(self.flops, step.equations)),
            sum(min(self._entries(t), looks) * self._width(t) for t, looks in (*tensors, *added_to)),
        )

    def update(self, update: Program, entries: int | None = None) -> Cost:
        """What the optimiser costs after the gradient: passes over the vectors of all parameters, or of fewer
        entries.

        Where the gradient is added to them while it is formed, only the equations after that are left.
        """
        parts = accumulation_of(update) if self.plan.program.accumulated else None
        left = after_gradient(update) if parts is None else parts.rest
        (axis,) = ENTRIES
        sizes = {str(axis.name): self.plan.parameter_count if entries is None else entries}
        return sum(CostModel(plan_update(left), sizes, self.dtype).phase("update"), Cost())

    def least(self, update: Program | None, phases: Iterable[PhaseName]) -> Cost:
        """What no program can do without: the products of matrices, and to read the data once.

        With an update also to read and write parameters and states once, without one to read parameters.
        """
        equations = [equation for step in self._steps(*phases) for equation in step.equations]
        used = {name for equation in equations for name in equation.reads}
        data = [t for t in self.plan.program.declared if t.kind != "parameter" and t.name in used]
        vectors = 1 if update is None else 2 * (1 + len(update.of_kind("state")))
        return Cost(
            sum(self.flops(equation) for equation in equations if as_contraction(equation) is not None),
            self.plan.parameter_count * vectors * BYTES[self.dtype]
            + sum(self._entries(tensor) * self._width(tensor) for tensor in data),
        )

    def flops(self, equation: Equation) -> int:
        """The operations of an equation."""
        iterations = self._iterations(equation)
        contraction = as_contraction(equation)
        if contraction is not None:
            scaled = (
                self._entries(self.plan.program.tensor[equation.target]) if contraction.factor != 1 else 0
            )
            return 2 * iterations + scaled
        return iterations * (_operations(equation.body) + _OF_REDUCTION.get(equation.reduction, 1))

    def _iterations(self, equation: Equation) -> int:
        return self._product(loop.axis for loop in equation.loops)

    def _entries(self, tensor: Tensor) -> int:
        return self._product(tensor.axes)

    def _product(self, axes: Iterable[Axis]) -> int:
        return prod(self.sizes[axis.name or ""] if axis.size is None else axis.size for axis in axes)

    def _width(self, tensor: Tensor) -> int:
        return _LABEL_BYTES if tensor.is_integer else BYTES[self.dtype]


def _operations(body: sp.Expr) -> int:
    """The operations of a formula, those among constants left out: they are done beforehand."""
    plain = body.xreplace({entry: sp.Dummy() for entry in entries(body)})
    constants = plain.replace(lambda e: bool(e.is_number) and not e.is_Atom, lambda _: sp.Dummy())
    return int(sp.count_ops(constants))
