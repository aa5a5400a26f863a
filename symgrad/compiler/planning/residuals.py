"""What the forward pass keeps for the backward pass, and how much memory that takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from symgrad.compiler.planning.plan import Monomial, Phase, Plan, size_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from symgrad.calculus.axes import Axes
    from symgrad.calculus.program import Equation

BYTES = {"float32": 4, "float64": 8}


@dataclass(frozen=True)
class Amount:
    """So many bytes for each product of free axes: `160·batch + 8`."""

    bytes_per_unit: tuple[tuple[Monomial, int], ...]

    def of(self, sizes: Mapping[str, int]) -> int:
        """The bytes, where the free axes have these sizes."""
        return sum(prod(sizes[axis] for axis in unit) * number for unit, number in self.bytes_per_unit)

    def __str__(self) -> str:
        terms = ["·".join((f"{number:,}", *unit)) for unit, number in reversed(self.bytes_per_unit) if number]
        return " + ".join(terms) or "0"


@dataclass(frozen=True)
class Residual:
    """A value of the forward pass, and the values of the backward pass that are computed from it."""

    name: str
    axes: Axes
    amount: Amount
    readers: tuple[str, ...]


@dataclass(frozen=True)
class MemoryUse:
    """The values kept, and the whole workspace, in which all other values come and go."""

    residuals: tuple[Residual, ...]
    workspace: Amount


def memory_use(plan: Plan, dtype: str) -> MemoryUse:
    """What is kept for the backward pass. Data and parameters are the caller's and not counted."""
    width = BYTES[dtype]
    residuals = []
    for name, readers in _read_backward(plan):
        tensor = plan.program.tensor[name]
        unit, number = size_of(tensor.axes)
        residuals.append(Residual(name, tensor.axes, Amount(((unit, width * number),)), readers))
    return MemoryUse(
        tuple(residuals), Amount(tuple((unit, width * number) for unit, number in plan.work_units))
    )


def _read_backward(plan: Plan) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Tensors made before the gradient phase, in that order, and what is computed from them in it."""
    backward = tuple(_equations(phase for phase in plan.phases if phase.name == "gradient"))
    for made in _equations(phase for phase in plan.phases if phase.name in plan.before_gradient):
        targets = (e.target for e in backward if made.target in e.reads)
        readers = tuple(plan.program.accumulated.get(target, target) for target in targets)
        if readers:
            yield made.target, readers


def _equations(phases: Iterable[Phase]) -> Iterator[Equation]:
    return (equation for phase in phases for step in phase.steps for equation in step.equations)
