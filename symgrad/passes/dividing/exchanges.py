"""What ranks that share the rows of a batch tell each other within a step, so that rows may know of all rows.

Each rank computes with the number of all rows in all formulas, so that what it knows of its rows is what one
process knows. What is summed over rows is the sum of what ranks find. Where rows read it, as the mean and the
variance of batch normalisation and two sums on their way back, ranks tell each other theirs first; an
extremum over rows they tell each other always. All that a step is for becomes a sum of what ranks have: what
each of them knows whole, it has in the share of its rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import standard_indices
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Loop
from symgrad.calculus.terms import Entry, extent_symbol
from symgrad.passes.dividing.pieces_of_batches import (
    CONSTANT,
    SUM,
    CoupledError,
    Coupling,
    Dependence,
    MixedError,
    Separability,
    coupling_at,
    parts_of,
)
from symgrad.passes.dividing.separability import NO_NAMES
from symgrad.spec.reductions import EXTREMA

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from symgrad.calculus.program import Program

WHOLE = "whole batch"
"""The name of the number of rows of all ranks, beside those of axes."""


@dataclass(frozen=True)
class RankExchange:
    """A tensor of which each rank has what its own rows come to: a term of a sum, or of an extremum."""

    tensor: str
    reduction: str


@dataclass(frozen=True)
class SharedProgram:
    """A step of training whose batch ranks share: what they tell each other in it, in order, and the program,
    of which the loss, the gradients and next values are sums of what ranks have.
    """

    program: Program
    exchanges: tuple[RankExchange, ...]


def shared_program(
    program: Program, rows: str, said: Mapping[str, str] = NO_NAMES
) -> SharedProgram | Coupling:
    """How ranks share a step, or why they cannot; `said` is what a spec calls tensors that have other names
    here.
    """
    if any(rows in form.free for form in program.derived_sizes.values()):
        return Coupling("the size of another axis follows from the number of rows")
    for equation in program.equations:
        places = (index for entry in equation.accesses for index in entry.indices)
        if any(extent_symbol(rows) in index.free_symbols for index in places):
            reason = "reads or writes at places that follow from the number of rows"
            return coupling_at(program, equation.target, reason).in_words_of(said)
    reading = _Reading(_of_all_rows(program, rows), rows, frozenset())
    while (failed := reading.failed) is not None:
        totals = _sums_read(reading, failed)
        if not totals:
            return failed.coupling.in_words_of(said)
        reading = _Reading(reading.program, rows, reading.told | totals)
    return reading.shared()


def _of_all_rows(program: Program, rows: str) -> Program:
    """The program whose formulas have the number of all rows."""
    whole = {extent_symbol(rows): extent_symbol(WHOLE)}
    return replace(program, equations=tuple(e.with_body(e.body.xreplace(whole)) for e in program.equations))


class _Reading:
    """What all of a program is where ranks have `told` each other some sums, or where that `failed`."""

    def __init__(self, program: Program, rows: str, told: frozenset[str]) -> None:
        self.program, self.rows, self.told = program, rows, told
        self.shares: dict[str, dict[sp.Expr, Collection[sp.Expr]]] = {}
        self.failed: CoupledError | None = None
        try:
            self.parts = parts_of(program, rows, ends=tuple(_results(program)), read=self._part)
        except CoupledError as failed:
            self.failed, self.parts = failed, dict(failed.parts)

    def _part(self, parts: dict[str, Dependence], equation: Equation) -> Dependence:
        """What the target of an equation is, once it is told. Raises MixedError."""
        read = _SharedEquation(self.program, parts, self.rows, equation)
        if equation.reduction in EXTREMA and read.summed:
            read.function([read.body()])
            return CONSTANT
        part = read.part()
        self.shares[equation.target] = read.shares
        return CONSTANT if equation.target in self.told and part.depends == "total" else part

    def shared(self) -> SharedProgram:
        """The program that ranks compute."""
        share = extent_symbol(self.rows) / extent_symbol(WHOLE)
        editor = ProgramEditor(self.program)
        told = []
        for equation in self.program.equations:
            name, shares = equation.target, self.shares.get(equation.target, {})
            editor.add(equation.with_body(_in_shares(equation.body, shares, share)) if shares else equation)
            if equation.reduction in EXTREMA and any(a.axis.name == self.rows for a in equation.bound):
                told.append(RankExchange(name, equation.reduction))
            elif name in self.told:
                told.append(RankExchange(name, "sum"))
        known = {n: self._share_of(n, editor, share) for n in _results(self.program) if not self._adds_up(n)}
        program = editor.program(
            loss=known.get(self.program.loss or "", self.program.loss),
            gradients=tuple(replace(g, name=known.get(g.name, g.name)) for g in self.program.gradients),
            next_values=tuple(
                replace(n, equation=known.get(n.equation, n.equation)) for n in self.program.next_values
            ),
        )
        return SharedProgram(program, tuple(told))

    def _adds_up(self, name: str) -> bool:
        return self.parts[name].depends == "total"

    def _share_of(self, name: str, editor: ProgramEditor, share: sp.Expr) -> str:
        """The name of a rank's share of what all know."""
        axes = self.program.tensor[name].axes
        found = editor.new_tensor(f"{name}_share", axes)
        indices = standard_indices(axes)
        loops = tuple(Loop(index, axis) for index, axis in zip(indices, axes, strict=True))
        editor.add(Equation(found, indices, loops, "none", share * Entry(name, indices)))
        return found


class _SharedEquation(Separability):
    """Reads one equation; of what is added to a sum over rows, `shares` has the terms that all ranks know."""

    def __init__(self, program: Program, parts: dict[str, Dependence], rows: str, equation: Equation) -> None:
        super().__init__(program, parts, rows, equation)
        self.shares: dict[sp.Expr, Collection[sp.Expr]] = {}

    def added(self, expr: sp.Expr, terms: Iterable[sp.Expr]) -> Dependence:
        """The same; to a sum over rows each rank may add its share of what all know."""
        parts = {term: self.inside(term) for term in terms if term != 0}
        if {part.depends for part in parts.values()} == {"total", "constant"}:
            self.shares[expr] = [term for term, part in parts.items() if part.depends == "constant"]
            return SUM
        return self.united([*parts.values()])

    def total(self, body: Dependence, over: set[sp.Basic]) -> Dependence:
        """The same; what all ranks know, summed over rows, is the sum of what each has."""
        if not over:
            return body
        if len(over) > 1 or (body.depends == "row" and not self.used & over):
            raise MixedError("pairs rows with other rows")
        if body.depends == "total":
            raise MixedError("adds up a sum over the rows once more for every row")
        return SUM


def _in_shares(expr: sp.Expr, shares: Mapping[sp.Expr, Collection[sp.Expr]], share: sp.Expr) -> sp.Expr:
    """An expression with what ranks know in the share of each, where it is added to sums over rows."""
    if not expr.args or isinstance(expr, Entry):
        return expr
    parts = [_in_shares(part, shares, share) for part in expr.args]
    known = shares.get(expr, ())
    if isinstance(expr, sp.Piecewise):
        pairs = zip(expr.args, parts, strict=True)
        parts = [(share * new[0], new[1]) if old[0] in known else new for old, new in pairs]
    elif known:
        parts = [share * new if old in known else new for old, new in zip(expr.args, parts, strict=True)]
    return expr.func(*parts)


def _results(program: Program) -> Iterator[str]:
    """What a step is for."""
    if program.loss:
        yield program.loss
    yield from (gradient.name for gradient in program.gradients)
    yield from (found.equation for found in program.next_values)


def _sums_read(reading: _Reading, failed: CoupledError) -> frozenset[str]:
    """The sums over rows that an equation reads which no rank can compute; none where that is not why."""
    equation = reading.program.definition.get(failed.target)
    return frozenset() if equation is None else frozenset(_summed(reading, equation))


def _summed(reading: _Reading, equation: Equation) -> set[str]:
    """The sums over rows of which an equation reads totals, entry by entry."""
    found = set()
    for name in equation.reads:
        if reading.parts[name].depends == "total" and name in reading.program.definition:
            made = _summed(reading, reading.program.definition[name])
            found |= made or {name}
    return found
