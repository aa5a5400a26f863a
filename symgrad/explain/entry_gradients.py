"""The scalar view: the gradient of every single weight, and what it is made of, with indices filled in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import letters
from symgrad.calculus.terms import Entry, entries
from symgrad.errors import SpecError, did_you_mean
from symgrad.explain.entry_formulas import EntryFormulas
from symgrad.notation.visibility import hidden_tensors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from symgrad.calculus.program import Program, Tensor

MAX_ENTRIES = 24
"""A tensor with more entries is shown by one formula with letters for indices, unless it is asked for."""
MAX_RULES = 300
"""So many rules are written for one parameter at most."""

Place = tuple[int | None, ...]


@dataclass(frozen=True)
class EntryFormula:
    """`entry = body`, for every value of the letters among the entry's indices."""

    entry: Entry
    body: sp.Expr


@dataclass(frozen=True)
class EntryGradient:
    """How the loss depends on one entry of a parameter.

    `written_out` is the gradient with all cotangents put in, over forward values, targets and parameters;
    None where that is longer than anyone reads.
    """

    parameter: Entry
    gradient: EntryFormula
    written_out: sp.Expr | None


@dataclass(frozen=True)
class ScalarRules:
    """The gradients of single entries, and the entries of forward values and cotangents they are made of.

    `shortened` are the parameters whose many entries share one rule with letters, with their numbers.
    """

    forward: tuple[EntryFormula, ...]
    backward: tuple[EntryFormula, ...]
    gradients: tuple[EntryGradient, ...]
    shortened: tuple[tuple[str, int], ...]


def scalar_rules(program: Program, wanted: Sequence[str] = ()) -> ScalarRules:
    """The scalar view of a program; `wanted` names parameters, `W1`, or single entries, `W1[0, 3]`.

    Raises:
        SpecError: there is no such parameter or entry, or it has more than MAX_RULES entries.
    """
    return _ScalarRules(program).run(wanted)


class _ScalarRules:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.formulas = EntryFormulas(program, hidden_tensors(program))
        self.gradient_of = {g.of: g.name for g in program.gradients}

    def run(self, wanted: Sequence[str]) -> ScalarRules:
        trained = [t for t in self.program.of_kind("parameter") if t.name in self.gradient_of]
        chosen = [place for name in wanted for place in self._chosen(name, trained)]
        if not wanted:
            chosen = [(t, place) for t in trained for place in _places(t)]
        gradients = self._gradients(list(dict.fromkeys(chosen)))
        defined = self._needed(gradients)
        kinds = {name: self.program.tensor[name].kind for name in self.program.tensor}
        return ScalarRules(
            tuple(f for f in defined if kinds[f.entry.tensor] != "cotangent"),
            tuple(f for f in defined if kinds[f.entry.tensor] == "cotangent"),
            gradients,
            () if wanted else tuple((t.name, _entries(t)) for t in trained if _entries(t) > MAX_ENTRIES),
        )

    def _gradients(self, chosen: list[tuple[Tensor, Place]]) -> tuple[EntryGradient, ...]:
        """In the order asked for; made from the loss to the inputs, so that each finds its parts ready."""
        position = {e.target: number for number, e in enumerate(self.program.equations)}
        ordered = sorted(chosen, key=lambda c: position[self.gradient_of[c[0].name]])
        found = {(tensor, place): self._gradient(tensor, place) for tensor, place in ordered}
        return tuple(found[wanted] for wanted in chosen)

    def _gradient(self, tensor: Tensor, place: Place) -> EntryGradient:
        parameter = self._entry(tensor, place)
        gradient = Entry(self.gradient_of[tensor.name], parameter.indices)
        return EntryGradient(parameter, self._formula(gradient), self.formulas.written_out(gradient))

    def _entry(self, tensor: Tensor, place: Place) -> Entry:
        """The entry at a place, with letters for what the place leaves open."""
        open_axes = [axis for axis, number in zip(tensor.axes, place, strict=True) if number is None]
        names = iter(letters(open_axes, self.program.names))
        return Entry(tensor.name, [next(names) if number is None else sp.Integer(number) for number in place])

    def _formula(self, entry: Entry) -> EntryFormula:
        return EntryFormula(entry, self.formulas.definition(entry))

    # Which parameters ---------------------------------------------------------------------------

    def _chosen(self, wanted: str, trained: Sequence[Tensor]) -> Iterator[tuple[Tensor, Place]]:
        name, place = _parsed(wanted)
        tensor = next((t for t in trained if t.name == name), None)
        if tensor is None:
            known = ", ".join(t.name for t in trained) or "none"
            remedy = did_you_mean(name, [t.name for t in trained]) or f"the trained parameters are: {known}"
            raise SpecError(f"there is no trained parameter '{name}'", remedy=remedy)
        if place is not None:
            _check_place(tensor, place, wanted)
            yield tensor, place
            return
        if _entries(tensor) > MAX_RULES:
            raise SpecError(
                f"'{name}' has {_entries(tensor):,} entries, and at most {MAX_RULES:,} rules are written",
                remedy=f"ask for one of them: {name}[{', '.join('0' for _ in tensor.axes)}]",
            )
        yield from ((tensor, place) for place in _all_places(tensor))

    # What the gradients are made of -------------------------------------------------------------

    def _needed(self, gradients: Iterable[EntryGradient]) -> list[EntryFormula]:
        """The definitions of all entries that the gradients lead to, in the order of the program."""
        queue = [gradient.gradient.body for gradient in gradients]
        inputs = [g.name for g in self.program.gradients if self.program.tensor[g.of].kind != "parameter"]
        roots = inputs if self.program.gradients else self.program.outputs
        found: dict[str, dict[Place, EntryFormula]] = {}
        queue += [self._entry(t, (None,) * len(t.axes)) for t in map(self.program.tensor.__getitem__, roots)]
        while queue:
            for read in entries(queue.pop()):
                carried = self.program.carried.get(read.tensor)  # what it is one step before or behind
                entry = read if carried is None else Entry(carried.source, read.indices)
                if entry.tensor not in self.program.definition:
                    continue
                of_tensor = found.setdefault(entry.tensor, {})
                tensor = self.program.tensor[entry.tensor]
                for place in _places(tensor, entry):
                    if place not in of_tensor:
                        of_tensor[place] = self._formula(self._entry(tensor, place))
                        queue.append(of_tensor[place].body)
        order = [e.target for e in self.program.equations if e.target in found]
        return [found[name][place] for name in order for place in sorted(found[name], key=_sorting)]


def _parsed(wanted: str) -> tuple[str, Place | None]:
    """(name, place) of `W1` or `W1[0, 3]`."""
    match = re.fullmatch(r"\s*(\w+)\s*(?:\[([\d\s,]{0,99})\]\s*)?", wanted, re.ASCII)
    numbers = (match[2] or "").split(",") if match and match[2] is not None else None
    if match is None or (numbers is not None and not all(n.strip().isdigit() for n in numbers)):
        raise SpecError(f"'{wanted}' names no parameter", remedy="write W1, or W1[0, 3] for one entry")
    return match[1], tuple(map(int, numbers)) if numbers is not None else None


def _check_place(tensor: Tensor, place: Place, wanted: str) -> None:
    sizes = [axis.size or 0 for axis in tensor.axes]
    if len(place) != len(sizes) or any(
        p >= size for p, size in zip(place, sizes, strict=True) if p is not None
    ):
        last = ", ".join(str(size - 1) for size in sizes)
        remedy = f"entries count from 0, the last is {tensor.name}[{last}]" if sizes else "it is one number"
        raise SpecError(f"'{tensor.name}' has no entry {wanted.strip()}", remedy=remedy)


def _entries(tensor: Tensor) -> int:
    return prod(axis.size or 1 for axis in tensor.axes)


def _all_places(tensor: Tensor) -> Iterator[Place]:
    return product(*(range(a.size) if a.size is not None else (None,) for a in tensor.axes))


def _places(tensor: Tensor, entry: Entry | None = None) -> Iterator[Place]:
    """The places that stand for an entry, or for all: one with letters where there are too many."""
    if _entries(tensor) > MAX_ENTRIES:
        return iter([tuple(None for _ in tensor.axes)])
    if entry is None:
        return _all_places(tensor)
    place = tuple(
        None if axis.size is None else int(index) if index.is_Integer else -1
        for axis, index in zip(tensor.axes, entry.indices, strict=True)
    )
    return _all_places(tensor) if -1 in place else iter([place])


def _sorting(place: Place) -> tuple[int, ...]:
    return tuple(-1 if number is None else number for number in place)
