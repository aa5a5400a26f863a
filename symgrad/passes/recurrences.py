"""Recurrences in a program: equations that read, step by step, what is made of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import entries, indices_in
from symgrad.cycles import groups
from symgrad.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from symgrad.calculus.axes import Axis
    from symgrad.calculus.program import Equation, Program


@dataclass(frozen=True)
class Recurrence:
    """Equations computed step by step along one axis, and what is carried from one step to the next.

    `steps` are the indices that count steps, by the targets of the equations. Without equations it is no
    more than a tensor moved by a step.
    """

    carried: tuple[str, ...]
    equations: tuple[Equation, ...]
    axis: Axis
    back: bool
    steps: Mapping[str, sp.Symbol]


def in_order(
    program: Program, equations: Iterable[Equation], made: Collection[str] = ()
) -> Iterator[Equation | Recurrence]:
    """Equations, and in their place those that are one recurrence, each behind all that it needs.

    What is carried from step to step may have been `made` before them.

    Raises:
        InternalError: an equation of a recurrence reads another step of it than its own.
    """
    by_target = {equation.target: equation for equation in equations}
    if not program.carried:
        yield from by_target.values()
        return
    wanted = program.carried.keys() - set(made)
    read = {n for e in by_target.values() for n in e.reads} & wanted
    while more := {program.carried[n].source for n in read} & wanted - read:
        read |= more
    reads = {name: program.carried[name].reads for name in program.carried if name in read}
    for group in groups({**{target: e.reads for target, e in by_target.items()}, **reads}):
        if any(name in reads for name in group):
            members = [by_target[name] for name in group if name in by_target]
            yield _recurrence(program, [name for name in group if name in reads], members)
        else:
            yield by_target[group[0]]


def check_recurrences(program: Program) -> Program:
    """The program itself, if its recurrences go on one step at a time.

    Raises:
        InternalError: as `in_order` does.
    """
    list(in_order(program, program.equations))
    return program


def _recurrence(program: Program, carried: list[str], equations: list[Equation]) -> Recurrence:
    first = program.carried[carried[0]]
    along = {name: program.carried[name].along for name in carried}
    steps: dict[str, sp.Symbol] = {}
    for equation in equations:
        step = _step_of(equation, along)
        steps[equation.target] = step
        along[equation.target] = equation.indices.index(step)
    for name in carried:
        found = program.carried[name]
        if found.back != first.back or (equations and along.get(found.source) != found.along):
            raise InternalError(f"{name} goes another way than the recurrence around it")
    axis = program.tensor[carried[0]].axes[first.along]
    return Recurrence(tuple(carried), tuple(equations), axis, first.back, steps)


def _step_of(equation: Equation, along: Mapping[str, int]) -> sp.Symbol:
    """The index that counts the steps of an equation: it reads all of the recurrence at its own step."""
    read = [e for part in (equation.body, *equation.indices) for e in entries(part) if e.tensor in along]
    places = {entry.indices[along[entry.tensor]] for entry in read}
    places |= {equation.indices[along[equation.onto]]} if equation.onto in along else set()
    if len(places) != 1:
        raise InternalError(f"{equation} reads more than one step of a recurrence")
    (step,) = places
    inside = [e.indices[:n] + e.indices[n + 1 :] for e in read for n in (along[e.tensor],)]
    number = equation.indices.index(step) if step in equation.indices else -1
    inside.append(equation.indices[:number] + equation.indices[number + 1 :])
    if number < 0 or any(step in indices_in(index) for indices in inside for index in indices):
        raise InternalError(f"{equation} reads more than its own step of a recurrence")
    return step
