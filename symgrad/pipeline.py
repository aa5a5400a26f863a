"""The way through the house: each stage a pure function from one frozen type to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.differentiate import differentiate
from symgrad.calculus.simplify import simplify
from symgrad.compiler.module.emit import emit
from symgrad.compiler.planning.accumulation import accumulation_of
from symgrad.compiler.planning.memory import plan_memory
from symgrad.compiler.planning.samples_innermost import column_axis
from symgrad.compiler.planning.schedule import schedule
from symgrad.elaborate.elaborate import elaborate
from symgrad.elaborate.optimizer import update_of
from symgrad.passes.accumulate import can_carry, carry
from symgrad.passes.expand_logsumexp import expand_logsumexp
from symgrad.passes.fission import summands_first
from symgrad.passes.guards import guard
from symgrad.passes.root_differences import without_root_differences
from symgrad.passes.separability import check_micro_batches
from symgrad.passes.sign_tests import choose_by_outputs
from symgrad.passes.slope_values import slopes_with_values
from symgrad.passes.stabilise import stabilise
from symgrad.spec.expand import expand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.program import Program
    from symgrad.compiler.planning.plan import Plan
    from symgrad.elaborate.optimizer import Update
    from symgrad.spec.model import Model, Spec


def derived_program(model: Model) -> Program:
    """The model's equations with the gradient of its loss, simplified: what `inspect` shows."""
    primal = stabilise(elaborate(model))  # Model -> Program
    check_micro_batches(model, primal)
    wrt = [p.name for p in primal.of_kind("parameter")] + list(model.spec.gradients)
    adjoint = differentiate(primal, wrt if primal.loss else [])  # Program -> Program
    return simplify(adjoint)  # Program -> Program


def module_text(spec: Spec) -> str:
    """The text of the training module of a spec.

    Raises:
        SpecError: the spec does not describe a network.
    """
    model = expand(spec)  # Spec -> Model
    shown = derived_program(model)  # Model -> Program
    update = update_of(model)
    return emit(model, shown, plan_of(shown, update), update)  # Plan -> text


def plan_of(shown: Program, update: Update) -> Plan:
    """In which steps a derived program is computed, and where every tensor lies in memory."""
    computed = choose_by_outputs(simplify(expand_logsumexp(shown)))  # Program -> Program
    computed = without_root_differences(guard(slopes_with_values(computed)))  # Program -> Program
    carried: Mapping[str, str] = {}
    columns = column_axis(computed)
    if columns:
        computed = summands_first(computed, columns)
    elif accumulation_of(update) is not None and can_carry(computed):
        computed, carried = carry(computed)
    return plan_memory(computed, schedule(computed, carried, columns), carried, columns)  # Program -> Plan
