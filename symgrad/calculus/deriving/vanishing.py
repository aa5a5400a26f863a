"""Tensors that are 0 whatever the data are, though what they are made of has a slope, taken out of a program.

`g − stop_gradient(g)` is 0, and so is all that a recurrence makes of it which is linear in what it carries.
Once the derivatives are there that pass through it, nobody needs its value.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.editing import with_equations
from symgrad.calculus.terms import Entry, entries, stop_gradient

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from symgrad.calculus.program import Equation, Program


def without_vanishing(program: Program) -> Program:
    """The program with 0 in place of what is 0 at all steps of its recurrences."""
    zero = _vanishing(program)
    if not zero:
        return program
    kept = (e for e in program.equations if e.target not in zero or e.target in program.asked_for)
    told = {e.target: (e, e.with_body(_told(e.body, zero))) for e in kept}
    left = {name: now for name, (before, now) in told.items() if now is not before}
    return _without_copies(with_equations(program, [now for _, now in told.values()]), left)


def _without_copies(program: Program, changed: Mapping[str, Equation]) -> Program:
    """The program in which those equations that are no more than another tensor now take its place."""
    taken: dict[str, str] = {}
    for equation in changed.values():
        made = _copied(equation, program)
        if made and made not in taken and made not in program.results:
            taken[made] = equation.target
    if not taken:
        return program
    last = {name: _end(name, taken) for name in taken}
    kept = (e for e in program.equations if e.target not in taken.values())
    return with_equations(program, [_renamed(e, last) for e in kept])


def _end(name: str, taken: Mapping[str, str]) -> str:
    """What takes a tensor's place in the end, where that is copied again."""
    while name in taken:
        name = taken[name]
    return name


def _copied(equation: Equation, program: Program) -> str:
    """The tensor that an equation gives again, entry by entry, if that is all."""
    body = equation.body
    is_copy = isinstance(body, Entry) and body.indices == equation.indices and not equation.scatters
    if not is_copy or not equation.is_elementwise or body.tensor not in program.definition:
        return ""
    axes, own = program.tensor[body.tensor].axes, program.tensor[equation.target].axes
    return str(body.tensor) if axes == own else ""


def _renamed(equation: Equation, names: Mapping[str, str]) -> Equation:
    def told(expr: sp.Expr) -> sp.Expr:
        read = {e: Entry(names[e.tensor], e.indices) for e in entries(expr) if e.tensor in names}
        return expr.xreplace(read) if read else expr

    return replace(
        equation,
        target=names.get(equation.target, equation.target),
        indices=tuple(map(told, equation.indices)),
        body=told(equation.body),
        onto=names.get(equation.onto, equation.onto),
    )


def _vanishing(program: Program) -> set[str]:
    """All that is 0 if all of it is: step by step, as nothing else is there to begin with.

    A quotient by what is not known to be other than 0 is looked at again when more is known.
    """
    sums = {e.target: e for e in program.equations if e.reduction in ("none", "sum")}
    zero = {*sums, *program.carried}
    while True:
        values = {name: _value(sums[name], zero) for name in zero & sums.keys()}
        other = {name for name, value in values.items() if value != 0 and value is not sp.nan}
        other |= {name for name in zero & program.carried.keys() if program.carried[name].reads - zero}
        other = other or {name for name, value in values.items() if value != 0}
        if not other:
            return zero
        zero -= other


def _value(equation: Equation, zero: Collection[str]) -> sp.Expr:
    if equation.onto and equation.onto not in zero:
        return Entry(equation.onto, equation.indices)
    return _told(equation.body, zero).replace(stop_gradient, lambda inner: inner)


def _told(body: sp.Expr, zero: Collection[str]) -> sp.Expr:
    read: dict[Entry, sp.Expr] = {e: sp.Integer(0) for e in entries(body) if e.tensor in zero}
    return body.xreplace(read) if read else body
