"""What pieces of a batch know of a quantity: all of it, their rows of it, or their share of a sum.

Every quantity is classed by what it depends on and by how it scales with the number of
rows N. `constant` knows nothing of the rows, `row` of one of them, `total` is a sum over all of them;
each may carry a power of N. The mean over the rows of something is `total` with the power -1.

A mean may also divide by another sum over the rows, of what the data say of each, as the mean over labels
that count does. Its pieces are weighted by that sum, which takes the place of the number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial, reduce
from typing import TYPE_CHECKING, Literal

import sympy as sp

from symgrad.calculus.terms import Entry, delta, drawn, extent_symbol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from symgrad.calculus.program import Equation, Program


class MixedError(Exception):
    """Pieces of a batch do not add up to it; the message says why."""


@dataclass(frozen=True)
class Coupling:
    """Why pieces of a batch do not add up to it: what an equation does, which is named, or a sentence."""

    reason: str
    equation: str = ""

    def __str__(self) -> str:
        return f"'{self.equation}' {self.reason}" if self.equation else self.reason

    def in_words_of(self, said: Mapping[str, str]) -> Coupling:
        """The same with what a spec calls the equation, where that has another name here."""
        return replace(self, equation=said.get(self.equation, self.equation))


class CoupledError(Exception):
    """The same of an equation: it, the tensor that it makes, and what those above it are."""

    def __init__(self, coupling: Coupling, target: str, parts: Mapping[str, Dependence]) -> None:
        super().__init__(str(coupling))
        self.coupling, self.target, self.parts = coupling, target, parts


@dataclass(frozen=True)
class Dependence:
    """What a quantity depends on, and the powers that it carries: of the number of rows, and of their weight,
    where that is another one.
    """

    depends: Literal["constant", "row", "total"]
    power: Fraction = Fraction(0)
    weight: Fraction = Fraction(0)

    @property
    def is_scaled(self) -> bool:
        """Whether it carries any power."""
        return bool(self.power or self.weight)


WIDENING = ("constant", "row", "total")
CONSTANT, ROW, MEAN = Dependence("constant"), Dependence("row"), Dependence("total", Fraction(-1))
SUM, WEIGHTED_MEAN = Dependence("total"), Dependence("total", Fraction(0), Fraction(-1))


def parts_of(
    program: Program,
    rows: str,
    weight: str = "",
    ends: tuple[str, ...] | None = None,
    read: Callable[[dict[str, Dependence], Equation], Dependence] | None = None,
) -> dict[str, Dependence]:
    """What every tensor behind the loss is, or behind other `ends`; `weight` is a sum that stands for the
    number of rows. An equation is what it says, or what `read` finds there.

    Raises:
        CoupledError: no piece of a batch could know its entries; the message names the equation.
    """
    wanted = ends_of(program) if ends is None else ends
    read = read or (lambda parts, equation: Separability(program, parts, rows, equation, weight).part())
    parts = {t.name: ROW if any(a.name == rows for a in t.axes) else CONSTANT for t in program.tensors}
    while True:
        for equation in behind(program, wanted):
            try:
                part = read(parts, equation)
                parts[equation.target] = _as_weight(part) if equation.target == weight else part
            except MixedError as mixed:
                coupling = coupling_at(program, equation.target, str(mixed))
                raise CoupledError(coupling, equation.target, parts) from mixed
        wider = _handed_on(program, parts, wanted, weight)
        if wider.items() <= parts.items():
            return parts
        parts |= wider


def _as_weight(part: Dependence) -> Dependence:
    """A sum over the rows as what stands for their number. Raises MixedError."""
    if part.depends != "total":
        raise MixedError("is no sum over the rows")
    return replace(part, depends="constant", weight=Fraction(1))


def _handed_on(
    program: Program, parts: Mapping[str, Dependence], wanted: tuple[str, ...], weight: str
) -> dict[str, Dependence]:
    """What recurrences carry: at some steps what it was before, at others what it is made of or starts with.

    Raises:
        CoupledError: no piece of a batch could know all of these.
    """
    found = {}
    for name in program.carried.keys() & program.needed(wanted):
        try:
            reads = (parts[read] for read in program.carried[name].reads)
            found[name] = reduce(partial(_pair, weight), reads, parts[name])
        except MixedError as mixed:
            coupling = Coupling(f"is carried from step to step and {mixed}", program.carried[name].source)
            raise CoupledError(coupling, name, parts) from mixed
    return found


def ends_of(program: Program) -> tuple[str, ...]:
    """The loss, where there is one."""
    return (program.loss,) if program.loss else ()


def behind(program: Program, ends: tuple[str, ...]) -> list[Equation]:
    """The equations that some tensors depend on, and theirs."""
    needed = program.needed(ends)
    return [equation for equation in program.equations if equation.target in needed]


def coupling_at(program: Program, target: str, reason: str) -> Coupling:
    """The reason, with the equation of the user's that a temporary belongs to: the next with a name of its
    own.
    """
    targets = [e.target for e in program.equations]
    later = targets[targets.index(target) :]
    named = (t for t in later if program.tensor[t].kind != "temporary")
    owners = (t for t in named if not isinstance(program.definition[t].body, drawn))
    return Coupling(reason, next(owners, target))


class Separability:
    """Reads one equation, given what those above it are."""

    def __init__(
        self, program: Program, parts: dict[str, Dependence], rows: str, equation: Equation, weight: str = ""
    ) -> None:
        self.program, self.parts, self.equation, self.weight = program, parts, equation, weight
        self.rows, self.count = rows, extent_symbol(rows)
        self.indices: set[sp.Basic] = {loop.index for loop in equation.loops if loop.axis.name == rows}
        self.used: set[sp.Basic] = set()

    def part(self) -> Dependence:
        """What the target is.

        Raises:
            MixedError: no piece of a batch could know its entries.
        """
        body = self.body()
        if self.equation.reduction not in ("none", "sum"):
            if self.summed:
                raise MixedError(f"takes the {self.equation.reduction} over the rows")
            return self.function([body])
        found = self.total(body, self.summed)
        if found.depends == "total" and self.indices - self.summed:
            raise MixedError("gives every row a sum over the rows")
        onto = self.equation.onto
        return self.united([self.parts[onto], found]) if onto else found

    @property
    def summed(self) -> set[sp.Basic]:
        """The rows that are reduced."""
        return self.indices - {*self.equation.indices}

    def body(self) -> Dependence:
        """What is reduced, or stands at each place; where rows say at which, it depends on them.

        Raises:
            MixedError: no piece of a batch could know it.
        """
        own, places = self.inside(self.equation.body), [i for i in self.equation.indices if not i.is_Symbol]
        if self._place(places) == ROW and own.depends != "row":
            own = self._product([own, ROW])
        if len(self.used) > 1:
            raise MixedError("pairs rows with other rows")
        return own

    def total(self, body: Dependence, over: set[sp.Basic]) -> Dependence:
        """What it is summed over rows by these indices."""
        if body.depends == "row" and self.used & over:
            return Dependence("total", body.power + len(over) - 1)
        return replace(body, power=body.power + len(over))

    def inside(self, expr: sp.Expr) -> Dependence:
        """What a part of the body is. Raises MixedError."""
        if isinstance(expr, Entry):
            return self._entry(expr)
        if expr == self.count:
            return Dependence("constant", Fraction(1))
        if isinstance(expr, delta):
            return self._place(expr.args)
        if isinstance(expr, drawn):
            return self._drawn(expr.args[1:])
        if expr.is_Add:
            return self.added(expr, expr.args)
        if expr.is_Mul:
            return self._product(map(self.inside, expr.args))
        if expr.is_Pow and not isinstance(expr, sp.exp) and expr.exp.is_number:
            return self._power(self.inside(expr.base), expr.exp)
        if isinstance(expr, sp.Piecewise):
            values = self.added(expr, [value for value, _ in expr.args])
            relations = [r for r in _relations(expr) if not self._asks_for_weight(r)]
            return self._chosen(values, [self.function([self._merged(r.args)]) for r in relations])
        return self.function([self.inside(a) for a in expr.args])

    def _asks_for_weight(self, relation: sp.Basic) -> bool:
        """Whether something weighs anything: a piece that weighs nothing counts for nothing."""
        return isinstance(relation, sp.Eq | sp.Ne) and {*relation.args} == {Entry(self.weight), sp.S.Zero}

    def _entry(self, entry: Entry) -> Dependence:
        own = self.parts[entry.tensor]
        axes = self.program.tensor[entry.tensor].axes
        along_rows = [i for i, axis in zip(entry.indices, axes, strict=True) if axis.name == self.rows]
        others = [i for i, axis in zip(entry.indices, axes, strict=True) if axis.name != self.rows]
        for index in along_rows:
            if index not in self.indices:
                raise MixedError(f"reads a row of '{entry.tensor}' by its number")
            self.used.add(index)
        if self._place(others) == ROW and own.depends != "row":
            return self._product([own, ROW])
        return own

    def _drawn(self, places: Sequence[sp.Expr]) -> Dependence:
        """Numbers of a row, which are counted from the first row on."""
        if any(place in self.indices for place in places[1:]):
            raise MixedError("draws all numbers of a step at once, which are not counted row by row")
        self.used |= {*places[:1]} & self.indices
        return ROW if places[0] in self.indices else CONSTANT

    def _place(self, indices: Sequence[sp.Expr]) -> Dependence:
        """What indices depend on: entries of labels, never the number of the row."""
        labels = {entry for index in indices for entry in index.atoms(Entry)}
        without = [index.xreplace(dict.fromkeys(labels, sp.Integer(0))) for index in indices]
        if any(index.free_symbols & self.indices for index in without):
            raise MixedError("computes with the numbers of rows")
        return ROW if ROW in [self.inside(label) for label in labels] else CONSTANT

    def added(self, _: sp.Expr, terms: Iterable[sp.Expr]) -> Dependence:
        """What an expression is that is a sum of such terms, or may be each of them."""
        return self._merged(terms)

    def _merged(self, terms: Iterable[sp.Expr]) -> Dependence:
        """A sum. What is the same in all rows counts as its own mean over them, and 0 as anything."""
        return self.united([self.inside(term) for term in terms if term != 0])

    def united(self, parts: Sequence[Dependence]) -> Dependence:
        """What may be each of these. Raises MixedError."""
        return reduce(partial(_pair, self.weight), parts) if parts else CONSTANT

    def _product(self, parts: Iterable[Dependence]) -> Dependence:
        result = CONSTANT
        for part in parts:
            depends = {result.depends, part.depends}
            if "total" in depends and "constant" not in depends:
                raise MixedError("multiplies a sum over the rows by what depends on them too")
            wider = max(result, part, key=lambda p: WIDENING.index(p.depends))
            power, weight = result.power + part.power, result.weight + part.weight
            result = replace(wider, power=power, weight=weight)
        return result

    def _power(self, base: Dependence, exponent: sp.Expr) -> Dependence:
        if base.depends == "total":
            verb = "divides by" if exponent.is_negative else "takes a power of"
            raise MixedError(f"{verb} a sum over the rows")
        if not base.is_scaled:
            return base
        if not exponent.is_Rational:
            raise MixedError("puts the number of rows into a power")
        times = Fraction(int(exponent.p), int(exponent.q))
        return replace(base, power=base.power * times, weight=base.weight * times)

    def _chosen(self, values: Dependence, conditions: list[Dependence]) -> Dependence:
        return self._product([values, ROW]) if ROW in conditions else values

    def function(self, arguments: list[Dependence]) -> Dependence:
        """Something that is not linear: it may see a row, but no sum over them and not their number."""
        for argument in arguments:
            if argument.depends == "total":
                raise MixedError("puts a sum over the rows into a function that is not linear")
            if argument.is_scaled:
                raise MixedError("puts the number of rows into a function")
        return ROW if ROW in arguments else CONSTANT


def _pair(weight: str, a: Dependence, b: Dependence) -> Dependence:
    """What may be either of two, as their sum is; a mean is one by the number of rows, or by a `weight`."""
    if a == b:
        return a
    if {a.depends, b.depends} == {"row", "total"}:
        raise MixedError("compares rows with a sum over the rows")
    if "total" not in (a.depends, b.depends) and (a.power, a.weight) == (b.power, b.weight):
        return replace(a, depends="row")
    total, other = (a, b) if a.depends == "total" else (b, a)
    more, heavier = other.power - total.power, other.weight - total.weight
    is_own_mean = more == (0 if weight else 1) and heavier == (1 if weight else 0)
    if total.depends == "total" and other.depends == "constant" and is_own_mean:
        return total
    raise MixedError("adds terms that grow differently with the number of rows")


def _relations(choice: sp.Piecewise) -> list[sp.Basic]:
    """The comparisons in all conditions of a choice."""
    return [r for _, condition in choice.args for r in condition.atoms(sp.core.relational.Relational)]
