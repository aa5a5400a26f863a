"""What feeds a recurrence entry by entry is formed in its loop over steps, where the caches have it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.terms import drawn, entries

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
