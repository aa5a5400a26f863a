"""The way through the house: each stage a pure function from one frozen type to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.differentiate import differentiate
from symgrad.calculus.elaborate import elaborate
from symgrad.calculus.logsumexp import expand_logsumexp
from symgrad.calculus.rowwise import check_micro_batches
from symgrad.calculus.simplify import simplify
from symgrad.calculus.stabilise import stabilise
from symgrad.compiler.emit import emit
from symgrad.compiler.memory import plan_memory
from symgrad.compiler.schedule import schedule
from symgrad.compiler.update import update_of
from symgrad.spec.expand import expand

if TYPE_CHECKING:
    from symgrad.calculus.program import Program
    from symgrad.compiler.plan import Plan
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
    return emit(model, shown, plan_of(shown), update_of(model))  # Plan -> text


def plan_of(shown: Program) -> Plan:
    """In which steps a derived program is computed, and where every tensor lies in memory."""
    computed = simplify(expand_logsumexp(shown))  # Program -> Program
    return plan_memory(computed, schedule(computed))  # Program -> Plan
