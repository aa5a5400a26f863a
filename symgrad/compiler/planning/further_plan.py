"""A derivative beyond the gradient, planned: it has steps and a workspace of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symgrad.calculus.program import Program
    from symgrad.compiler.planning.plan import Plan, Step
    from symgrad.spec.model import FurtherDerivative


@dataclass(frozen=True)
class FurtherPlan:
    """What is asked for, the program as mathematics, and the plan by which it is computed."""

    asked: FurtherDerivative
    shown: Program
    plan: Plan

    @property
    def function(self) -> str:
        """The name of the module's function."""
        return self.asked.function

    @property
    def compiled(self) -> tuple[str, ...]:
        """The names of what computes it, of the size of its workspace, and of what of that callers get."""
        return f"_{self.function}", f"_{self.function}_work_size", f"_{self.function}_results"

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in order."""
        return tuple(step for phase in self.plan.phases for step in phase.steps)

    @property
    def takes_direction(self) -> bool:
        """Whether it is a product of a matrix with a direction, and gives one of the parameters' size."""
        return self.asked.kind in ("hvp", "gauss_newton")

    @property
    def takes_targets(self) -> bool:
        """Whether it is of the loss."""
        return self.asked.kind != "jacobian"
