"""What a module computes beside the network and its gradient, planned, each with a workspace of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symgrad.calculus.program import Program
    from symgrad.compiler.planning.plan import Plan, Step
    from symgrad.passes.further.one_step import OneStep
    from symgrad.spec.model import BesideFunction


def compiled_names(stem: str) -> tuple[str, str, str]:
    """The names of what computes something, of the size of its workspace, and of what of that callers get."""
    return f"_{stem}", f"_{stem}_work_size", f"_{stem}_results"


def steps_of(plan: Plan) -> tuple[Step, ...]:
    """All steps of a plan, in order."""
    return tuple(step for phase in plan.phases for step in phase.steps)


@dataclass(frozen=True)
class StepPlan:
    """One step of time, and the plan by which it is computed."""

    step: OneStep
    plan: Plan
    compiled = compiled_names("one_step")


@dataclass(frozen=True)
class FurtherPlan:
    """A derivative beyond the gradient, or a network by itself: what is asked for, the program as
    mathematics, and the plan by which it is computed.
    """

    asked: BesideFunction
    shown: Program
    plan: Plan

    @property
    def function(self) -> str:
        """The name of the module's function."""
        return self.asked.function

    @property
    def compiled(self) -> tuple[str, str, str]:
        """The names of its functions that callers do not use."""
        return compiled_names(f"{self.function}_network" if self.asked.kind == "network" else self.function)

    @property
    def takes_direction(self) -> bool:
        """Whether it is a product of a matrix with a direction, and gives one of the parameters' size."""
        return self.asked.kind in ("hvp", "gauss_newton")
