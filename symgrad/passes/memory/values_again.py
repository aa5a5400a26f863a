"""Values of a recurrence that its way back computes again, where their slope is computed anyway.

A gate `sigmoid(s)` and its slope share the one exponential that costs something. So where the way back
through a recurrence forms the slope of a value from what it is made of, it forms the value too, with the same
number, and nothing of it lies in memory from step to step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.editing import with_equations
from symgrad.calculus.terms import Entry, entries, sigmoid
from symgrad.passes.derivative_values import sigmoid_slope, tanh_slope
from symgrad.passes.recurrences import Recurrence, in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from symgrad.calculus.program import Equation, Program

_SLOPES: Mapping[type, type] = {sigmoid: sigmoid_slope, sp.tanh: tanh_slope}


def with_values_again(program: Program) -> Program:
    """The program whose ways back read no value of which they form the slope."""
    before = _made_before(program)
    again: dict[Entry, sp.Expr] = {}
    kept: set[str] = set(program.results)
    for equations in _loops(program, before):
        slopes = {call for e in equations for call in e.body.atoms(sigmoid_slope, tanh_slope)}
        for equation in equations:
            for entry in entries(equation.body):
                value = _value(program, entry) if entry.tensor in before else None
                if value is not None and _SLOPES[type(value)](*value.args) in slopes:
                    again[entry] = value
                else:
                    kept.add(entry.tensor)
            kept.update(e.tensor for index in equation.indices for e in entries(index))
    chosen = {entry: value for entry, value in again.items() if entry.tensor not in kept}
    return (
        with_equations(program, [_told(e, before, chosen) for e in program.equations]) if chosen else program
    )


def _told(equation: Equation, before: set[str], chosen: Mapping[Entry, sp.Expr]) -> Equation:
    return equation if equation.target in before else equation.with_body(equation.body.xreplace(chosen))


def _made_before(program: Program) -> set[str]:
    """What the way forward makes."""
    results = (*program.outputs, *program.prediction, program.loss, program.evaluation)
    return program.needed(name for name in results if name)


def _loops(program: Program, before: set[str]) -> Iterable[list[Equation]]:
    """What is computed in one loop on the way back; all that is no recurrence by itself."""
    for part in in_order(program, program.equations) if program.carried else ():
        equations = list(part.equations) if isinstance(part, Recurrence) else [part]
        if equations and equations[0].target not in before:
            yield equations


def _value(program: Program, entry: Entry) -> sp.Expr | None:
    """What an entry is, where that is a function whose slope shares what costs something."""
    made = program.definition.get(entry.tensor)
    if made is None or made.scatters or not made.is_elementwise or type(made.body) not in _SLOPES:
        return None
    return made.at(entry.indices)
