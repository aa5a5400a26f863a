"""What symgrad derived from a spec: what every view and every format of a report is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from symgrad.explain.entry_gradients import ScalarRules, scalar_rules
from symgrad.explain.jacobians import BlockJacobians, local_jacobians
from symgrad.explain.transposed import with_samples_in_columns
from symgrad.notation.convention import ROWS, Convention
from symgrad.notation.equations import Writing
from symgrad.notation.visibility import hidden_tensors
from symgrad.pipeline import Stages

if TYPE_CHECKING:
    from symgrad.calculus.program import Program
    from symgrad.notation.typesetting.style import Style
    from symgrad.spec.model import Spec


@dataclass(frozen=True)
class ReportViews:
    """`scalar`: every weight's own rule, of the `parameters` named or of all; `jacobians`: the local ones;
    `memory`: what is kept for the backward pass; `hessian`: that of the loss."""

    scalar: bool = False
    parameters: tuple[str, ...] = ()
    jacobians: bool = False
    memory: bool = False
    hessian: bool = False


NOTHING_MORE = ReportViews()


@dataclass(frozen=True)
class Derived:
    """The equations of a spec, the gradients of its loss and its update rules, and how they are written.

    `program` is what is shown: as it was derived, or transformed for another notation; `views` are what is
    shown beside it.
    """

    stages: Stages = field(repr=False)
    program: Program
    convention: Convention = ROWS
    views: ReportViews = NOTHING_MORE

    @property
    def spec(self) -> Spec:
        return self.stages.model.spec

    @property
    def update(self) -> Program:
        return self.stages.update

    @cached_property
    def hidden(self) -> frozenset[str]:
        """The tensors that are written out where they are used."""
        return hidden_tensors(self.program)

    def writing(self, style: Style) -> Writing:
        """The program as it is written in a style."""
        return Writing(self.program, self.hidden, style, self.convention)

    @cached_property
    def requested_rules(self) -> ScalarRules:
        """The scalar rules that are to be shown."""
        return scalar_rules(self.program, self.views.parameters)

    @cached_property
    def jacobians(self) -> tuple[BlockJacobians, ...]:
        """The local Jacobians of every block, with respect to what it reads."""
        primal, model = self.stages.formulas, self.stages.model
        in_columns = self.convention.samples == "columns"
        shown = with_samples_in_columns(primal) if in_columns else primal
        return local_jacobians(shown, lambda block: Stages(model, block).derived)
