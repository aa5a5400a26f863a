"""What feeds a recurrence entry by entry, and what it leads to, is formed in its loop over steps, where the
caches have it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.terms import drawn, entries, indices_in
from symgrad.passes.scattering.tilings import moves_alone

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sympy as sp

    from symgrad.calculus.program import Equation, Program
    from symgrad.passes.recurrences import Recurrence


def feeding(program: Program, recurrence: Recurrence, before: Sequence[Equation]) -> Recurrence:
    """The recurrence with those equations before it that it alone reads, of each step its own."""
    if recurrence.inside:
        return recurrence
    starts = {program.carried[name].start for name in recurrence.carried}
    left: set[str] = set()
    for equation in reversed(before):
        if equation.target not in left | starts and (step := _step_of(recurrence, equation)):
            recurrence = _with(recurrence, equation, step)
        else:
            left |= equation.reads
    return recurrence


def leading(program: Program, recurrence: Recurrence, behind: Sequence[Equation]) -> Recurrence:
    """The recurrence with those equations behind it that read what it makes at their own step alone, and
    nothing else that is made behind it.
    """
    apart = {*program.accumulated, *program.renewed.values()}
    left: set[str] = set()
    for equation in () if recurrence.inside else behind:
        step = _own_step(program, recurrence, equation)
        if step is None or equation.target in apart or equation.reads & left:
            left.add(equation.target)
        else:
            steps = {**recurrence.steps, equation.target: step}
            recurrence = replace(recurrence, equations=(*recurrence.equations, equation), steps=steps)
    return recurrence


def _own_step(program: Program, recurrence: Recurrence, equation: Equation) -> sp.Symbol | None:
    """The index of an equation that counts steps, first, if it reads something of the recurrence, all of that
    at its own step, which is first there too.
    """
    is_plain = moves_alone(equation) if equation.scatters else equation.is_elementwise
    if not is_plain or equation.onto or isinstance(equation.body, drawn):
        return None
    steps = [loop for loop in equation.loops if equation.indices[:1] == (loop.index,)]
    place = {name: program.carried[name].along for name in recurrence.carried}
    place |= {e.target: e.indices.index(recurrence.steps[e.target]) for e in recurrence.equations}
    read = [entry for entry in entries(equation.body) if entry.tensor in place]
    if not steps or not steps[0].axis.fits(recurrence.axis) or not read or any(place[e.tensor] for e in read):
        return None
    step = steps[0].index
    inside = {index for entry in read for later in entry.indices[1:] for index in indices_in(later)}
    return step if all(entry.indices[0] == step for entry in read) and step not in inside else None


def _step_of(recurrence: Recurrence, equation: Equation) -> sp.Symbol | None:
    """The index of an equation that counts steps, first, if the recurrence reads of each step its own."""
    is_plain = equation.is_elementwise and not equation.scatters and not isinstance(equation.body, drawn)
    if not is_plain or not equation.indices or not equation.free[0].axis.fits(recurrence.axis):
        return None
    read = [
        entry.indices[0] == recurrence.steps[reader.target]
        for reader in recurrence.equations
        for expr in (reader.body, *reader.indices)
        for entry in entries(expr)
        if entry.tensor == equation.target
    ]
    return equation.free[0].index if read and all(read) else None


def _with(recurrence: Recurrence, equation: Equation, step: sp.Symbol) -> Recurrence:
    """The recurrence with one equation more, before the first that reads it."""
    others = recurrence.equations
    place = next(n for n, other in enumerate(others) if equation.target in other.reads)
    steps = {**recurrence.steps, equation.target: step}
    return replace(recurrence, equations=(*others[:place], equation, *others[place:]), steps=steps)
