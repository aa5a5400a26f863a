"""The plan of a step of the optimiser: its numbers, then one pass over all entries, in place."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Program
from symgrad.calculus.rules import fold
from symgrad.calculus.terms import Entry, entries
from symgrad.compiler.planning.plan import LoopNest, Phase, Place, Plan, Scalar
from symgrad.compiler.planning.schedule import steps_by_rows
from symgrad.elaborate.optimizer import AHEAD
from symgrad.passes.guarding.guards import guard_step


def plan_update(update: Program) -> Plan:
    """What a step becomes lies where it was; numbers and quantities of the step have no memory."""
    program = _in_place(guard_step(update))
    numbers = frozenset(t.name for t in program.tensors if not t.axes)
    formed = [e for e in program.equations if e.target in numbers]
    nests = steps_by_rows(program, [e for e in program.equations if e.target not in numbers])
    passes = (replace(n, local=n.local | numbers) for n in nests if isinstance(n, LoopNest))
    shared = _shared(program)
    kept = [t.name for t in program.tensors if t.axes and (t.kind in _GIVEN or t.name in program.outputs)]
    return Plan(
        program=program,
        phases=(Phase("update", (*map(Scalar, formed), *passes)),),
        places={name: Place("argument", (), 0) for name in kept},
        work_units=(),
        parameter_count=0,
        shared=shared,
    )


def rests(update: Program) -> bool:
    """Whether a gradient of 0 leaves an entry, and what is kept beside it, as they are, whatever they are.

    Found in the equations: with 0 for g, what a step gives to theta and to every state is this itself.
    """
    if AHEAD in update.outputs or any(e.reduction != "none" for e in update.equations):
        return False
    found: dict[str, sp.Expr] = {"g": sp.S.Zero}
    for equation in update.equations:
        known = {e: found.get(e.tensor, Entry(e.tensor)) for e in entries(equation.body)}
        found[equation.target] = fold(equation.body.xreplace(known))
    return all(sp.expand(found[name] - Entry(update.tensor[name].of)) == 0 for name in update.outputs)


_GIVEN = ("parameter", "input", "state")


def _shared(program: Program) -> dict[str, str]:
    """The memory that a tensor takes over: that of the one it is of."""
    kept = {*program.outputs, *(t.name for t in program.of_kind("state"))}
    return {t.name: t.of for t in program.tensors if t.of and t.name in kept}


def _in_place(update: Program) -> Program:
    """The step with a copy of what is read after its memory is taken over."""
    taken_over, editor = _shared(update), ProgramEditor(update)
    copies: dict[str, str] = {}
    for number, equation in enumerate(update.equations):
        old = taken_over.get(equation.target)
        if old is not None and any(old in e.reads for e in update.equations[number + 1 :]):
            copies[old] = editor.new_tensor("before", update.tensor[old].axes, of="")
            editor.add(
                Equation(copies[old], equation.indices, equation.loops, "none", Entry(old, equation.indices))
            )
    overwritten: set[str] = set()
    for equation in update.equations:
        read = {
            e: Entry(copies[e.tensor], e.indices) for e in entries(equation.body) if e.tensor in overwritten
        }
        editor.add(replace(equation, body=equation.body.xreplace(read)))
        overwritten |= {taken_over.get(equation.target, "")} & copies.keys()
    return editor.program()
