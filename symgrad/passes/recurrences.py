"""Recurrences in a program: equations that read, step by step, what is made of themselves."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

import sympy as sp

from symgrad.calculus.program import Equation
from symgrad.calculus.terms import entries, indices_in
from symgrad.cycles import groups
from symgrad.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from symgrad.calculus.axes import Axis
    from symgrad.calculus.program import Program


@dataclass(frozen=True)
class Recurrence:
    """Equations computed step by step along one axis, and what is carried from one step to the next.

    `steps` are the indices that count steps, by the targets of the equations. Without equations it is no
    more than a tensor moved by a step. Where its steps are parts, each has what stands `inside`, in order,
    recurrences of its own among it.
    """

    carried: tuple[str, ...]
    equations: tuple[Equation, ...]
    axis: Axis
    back: bool
    steps: Mapping[str, sp.Symbol]
    inside: tuple[Part, ...] = ()

    @property
    def all_carried(self) -> tuple[str, ...]:
        """What is carried from step to step, those of its parts with it."""
        inner = (part.all_carried for part in self.inside if isinstance(part, Recurrence))
        return (*self.carried, *chain.from_iterable(inner))


Part: TypeAlias = Equation | Recurrence


def in_order(program: Program, equations: Iterable[Equation], made: Collection[str] = ()) -> Iterator[Part]:
    """Equations, and in their place those that are one recurrence, each behind all that it needs.

    What is carried from step to step may have been `made` before them.

    Raises:
        InternalError: an equation of a recurrence reads another step of it than its own.
    """
    by_target = {equation.target: equation for equation in equations}
    if not program.carried:
        yield from by_target.values()
        return
    read = _handed(program, by_target.values(), made)
    together = _together(program, by_target.values(), read)
    yield from _ordered(program, by_target, read, together)


def _handed(program: Program, equations: Iterable[Equation], made: Collection[str]) -> dict[str, set[str]]:
    """What is carried from step to step of what equations read and was not made before, and what of."""
    wanted = program.carried.keys() - set(made)
    read = {n for e in equations for n in e.reads} & wanted
    while more := {n for name in read for n in program.carried[name].reads} & wanted - read:
        read |= more
    return {name: {*program.carried[name].reads} for name in program.carried if name in read}


def _together(
    program: Program, equations: Iterable[Equation], handed: Iterable[str]
) -> dict[Axis, tuple[str, ...]]:
    """What is computed in one loop over parts, by the axis of these."""
    found: dict[Axis, list[str]] = {}
    for equation in equations:
        for axis in (loop.axis for loop in equation.loops if loop.axis.of_parts):
            found.setdefault(axis, []).append(equation.target)
    for name in handed:
        for axis in (axis for axis in program.tensor[name].axes if axis.of_parts):
            found.setdefault(axis, []).append(name)
    return {axis: tuple(names) for axis, names in found.items()}


def _ordered(
    program: Program,
    by_target: Mapping[str, Equation],
    handed: Mapping[str, Collection[str]],
    together: Mapping[Axis, tuple[str, ...]],
) -> Iterator[Part]:
    reads = {name: {*read} for name, read in handed.items()}
    reads = {target: {*e.reads} for target, e in by_target.items()} | reads
    axis_of: dict[str, Axis] = {}
    for axis, names in together.items():  # as if around a circle
        axis_of |= dict.fromkeys(names, axis)
        for name, other in zip(names, (*names[1:], names[0]), strict=True):
            reads[name].add(other)
    for group in groups(reads):
        carried = [name for name in group if name in handed]
        members = [by_target[name] for name in group if name in by_target]
        if group[0] in axis_of:
            yield _by_parts(program, axis_of[group[0]], carried, members)
        elif carried:
            yield _recurrence(program, carried, members)
        else:
            yield by_target[group[0]]


def check_recurrences(program: Program) -> Program:
    """The program itself, if its recurrences go on one step at a time.

    Raises:
        InternalError: as `in_order` does.
    """
    list(in_order(program, program.equations))
    return program


def _by_parts(program: Program, axis: Axis, names: list[str], equations: list[Equation]) -> Recurrence:
    """What is computed part by part, where each part may have recurrences of its own."""
    steps = {e.target: loop.index for e in equations for loop in e.loops if loop.axis == axis}
    runs = steps.keys() | {name for name in names if axis in program.tensor[name].axes}
    if runs != {*names, *(e.target for e in equations)}:
        raise InternalError(f"what stands between {axis} does not run over them")
    carried = tuple(name for name in names if program.tensor[name].axes[program.carried[name].along] == axis)
    inner = {name: {*program.carried[name].reads} for name in names if name not in carried}
    inside = tuple(_ordered(program, {e.target: e for e in equations}, inner, {}))
    back = {program.carried[name].back for name in carried}
    if len(back) > 1:
        raise InternalError(f"{axis} are computed in two orders")
    return Recurrence(carried, tuple(equations), axis, True in back, steps, inside)


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
