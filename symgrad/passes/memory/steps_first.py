"""Steps before rows in memory: what a recurrence makes in one step lies in one piece.

Its matrices have no gaps then, and a step writes a few pages instead of a little of many. So lie the values
that are made of these, and those that they are made of, by products and by formulas entry by entry. Where a
product would have factors of both orders, the smaller one is copied into the order of the other.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import sympy as sp

from symgrad.calculus.contraction import as_product
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation
from symgrad.calculus.terms import Entry, drawn, entries
from symgrad.passes.recurrences import Recurrence, in_order
from symgrad.passes.scattering.tilings import moves_alone

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from symgrad.calculus.program import Program

T = TypeVar("T")
Places: TypeAlias = dict[str, int]
"""Which axis counts steps, by the names of tensors."""


def with_steps_first(program: Program) -> Program:
    """The program in which steps, where their number is known, are the first axis of recurrent tensors."""
    asked = _asked_for(program)
    places = _of_recurrences(program, asked)
    found = dict(places)
    while found:
        places |= found
        beside = dict(pair for e in program.equations for pair in _beside(e, program, places))
        found = {name: place for name, place in beside.items() if name not in {*places, *asked}}
    moved = _handed_on_alike(program, {name: place for name, place in places.items() if place})
    return _StepsFirst(program, moved).run() if moved else program


def _handed_on_alike(program: Program, places: Places) -> Places:
    """Without what is carried along another axis than its source has first: both stay as they are."""
    while True:
        pairs = [(name, carried.source) for name, carried in program.carried.items()]
        apart = {n for pair in pairs if places.get(pair[0], 0) != places.get(pair[1], 0) for n in pair}
        if not apart & places.keys():
            return places
        places = {name: place for name, place in places.items() if name not in apart}


def _asked_for(program: Program) -> set[str]:
    """The tensors that callers get or give; what is drawn, whose entries are counted in their order; and
    starts, whose axes are those of what starts with them."""
    found = {carried.start for carried in program.carried.values()}
    found |= {e.target for e in program.equations if isinstance(e.body, drawn)}
    found |= {*program.outputs, *program.prediction, *(t.name for t in program.declared)}
    found |= {g.name for g in program.gradients} | {n.equation for n in program.next_values}
    return found | {name for name in (program.loss, program.evaluation) if name}


def _of_recurrences(program: Program, asked: Collection[str]) -> Places:
    """Of the tensors that recurrences make, but those that callers ask for, and what is carried of these."""
    found: Places = {}
    for part in in_order(program, program.equations) if program.carried else ():
        if not isinstance(part, Recurrence) or part.axis.is_free:
            continue
        kept = {n for n in part.carried if program.carried[n].source in asked} | {*asked}
        found |= {n: program.carried[n].along for n in part.carried if n not in kept}
        made = ((e, part.steps[e.target]) for e in part.equations if e.target not in kept)
        found |= {e.target: e.indices.index(step) for e, step in made}
    return found


def _beside(equation: Equation, program: Program, places: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """The target of an equation that reads such tensors, and what one reads that makes them."""
    if not _keeps_steps(equation):
        return
    target = Entry(equation.target, equation.indices)
    read = [entry for entry in entries(equation.body) if entry.indices]
    steps = {e.indices[places[e.tensor]] for e in (target, *read) if e.tensor in places}
    if len(steps) != 1 or not isinstance(step := steps.pop(), sp.Symbol):
        return
    for entry in (target, *read):
        made = program.definition.get(entry.tensor)
        if made is not None and entry.indices.count(step) == 1 and _keeps_steps(made):
            yield entry.tensor, entry.indices.index(step)


def _keeps_steps(equation: Equation) -> bool:
    if equation.scatters:
        return moves_alone(equation)
    return equation.is_elementwise or as_product(equation) is not None


class _StepsFirst:
    """The new program so far, and the copies in it, by the tensor and the place of its steps."""

    def __init__(self, program: Program, places: Mapping[str, int]) -> None:
        self.program, self.places = program, places
        self.editor = ProgramEditor(program)
        self.copies: dict[tuple[str, int], str] = {}

    def run(self) -> Program:
        """All equations over what lies in the new order."""
        for name, place in self.places.items():
            tensor = self.program.tensor[name]
            order = _first((*range(len(tensor.axes)),), place)
            carried = tensor.carried and replace(tensor.carried, along=0)
            whole = tuple(tensor.order[i] for i in order) if tensor.order else order
            axes = _first(tensor.axes, place)
            self.editor.tensors[name] = replace(tensor, axes=axes, order=whole, carried=carried)
        for equation in self.program.equations:
            self._add(equation)
        return self.editor.program()

    def _add(self, equation: Equation) -> None:
        moved = {e: self._now(e) for e in entries(equation.body) if e.tensor in self.places}
        target = self._now(Entry(equation.target, equation.indices))
        changed = replace(equation, indices=target.indices, body=equation.body.xreplace(moved))
        if as_product(equation) is not None and as_product(changed) is None:
            changed = self._with_a_copy(equation, changed)
        self.editor.add(changed)

    def _now(self, entry: Entry) -> Entry:
        place = self.places.get(entry.tensor, 0)
        return Entry(entry.tensor, _first(entry.indices, place)) if place else entry

    def _with_a_copy(self, before: Equation, after: Equation) -> Equation:
        """A product again, of a copy of one of its factors; the equation `after` where none does."""
        moved = [e for e in entries(before.body) if e.tensor in self.places]
        target = Entry(before.target, before.indices)
        steps = {e.indices[self.places[e.tensor]] for e in (*moved, target) if e.tensor in self.places}
        if len(steps) != 1:
            return after
        (step,) = steps
        for entry in sorted(entries(after.body), key=self._numbers_of_a_row):
            if step not in entry.indices:
                continue
            is_moved = entry.tensor in self.places
            place = self.places[entry.tensor] if is_moved else entry.indices.index(step)
            indices = _back(entry.indices, place) if is_moved else _first(entry.indices, place)
            copied = Entry("", indices)
            if as_product(after.with_body(after.body.xreplace({entry: copied}))) is not None:
                copied = Entry(self._copy(after, entry, indices), indices)
                return after.with_body(after.body.xreplace({entry: copied}))
        return after

    def _numbers_of_a_row(self, entry: Entry) -> int:
        return prod(axis.size or 1 for axis in self.editor.tensors[entry.tensor].axes)

    def _copy(self, reader: Equation, entry: Entry, indices: tuple[sp.Expr, ...]) -> str:
        """The name of a tensor that has its axes in the order of these indices."""
        order = tuple(map(entry.indices.index, indices))
        key = entry.tensor, order[0]
        if key not in self.copies:
            tensor = self.editor.tensors[entry.tensor]
            name = self.editor.new_tensor(f"{tensor.name}_steps", tuple(tensor.axes[i] for i in order))
            loops = tuple(loop for loop in reader.loops if loop.index in indices)
            self.editor.add(Equation(name, indices, loops, "none", entry))
            self.copies[key] = name
        return self.copies[key]


def _first(items: tuple[T, ...], place: int) -> tuple[T, ...]:
    """What stands at a place, before the others."""
    return (items[place], *items[:place], *items[place + 1 :])


def _back(items: tuple[T, ...], place: int) -> tuple[T, ...]:
    """What stands first, at the place that it had."""
    return (*items[1 : place + 1], items[0], *items[place + 1 :])
