"""Whether a loss is a mean over the rows of a batch, so that the pieces of a batch add up to it.

Every quantity of a program is classed by what it depends on and by how it scales with the number of
rows N. `constant` knows nothing of the rows, `row` of one of them, `total` is a sum over all of them;
each may carry a power of N. The mean over the rows of something is `total` with the power -1. It is
what a gradient computed piece by piece, each piece weighted by its rows, can be exact for.

A mean may also divide by another sum over the rows, of what the data say of each, as the mean over labels
that count does. Its pieces are weighted by that sum, which takes the place of the number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial, reduce
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import sympy as sp

from symgrad.calculus.axes import Axis
from symgrad.calculus.terms import Entry, delta, drawn, extent_symbol
from symgrad.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from symgrad.calculus.program import Equation, Program
    from symgrad.spec.model import Model


class _MixedError(Exception):
    """Pieces of a batch do not add up to it; the message says why."""


class _CoupledError(Exception):
    """The same, with the equation."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"'{name}' {reason}")
        self.name, self.reason = name, reason


@dataclass(frozen=True)
class _Part:
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


@dataclass(frozen=True)
class RowWeight:
    """What pieces of a batch weigh in its mean: their rows, or a sum over these, which is the tensor
    `total`, or `times_rows` that. A loss that `adds_up` is the sum of what pieces have.
    """

    total: str = ""
    times_rows: bool = False
    adds_up: bool = False


@dataclass(frozen=True)
class InferenceByRows:
    """What inference makes of some rows of many: whether their `prediction` is that among all, and what their
    loss weighs in that of all; None where it is no part of it.
    """

    prediction: bool = False
    loss: RowWeight | None = None


WIDENING = ("constant", "row", "total")
CONSTANT, ROW, MEAN = _Part("constant"), _Part("row"), _Part("total", Fraction(-1))
SUM, WEIGHTED_MEAN = _Part("total"), _Part("total", Fraction(0), Fraction(-1))
NO_NAMES: Mapping[str, str] = MappingProxyType({})
ROWS, ADDED_UP = RowWeight(), RowWeight(adds_up=True)


def check_micro_batches(model: Model, program: Program) -> None:
    """Refuse micro-batches where they would change the gradient; `program` is the model without its gradient.

    Raises:
        SpecError: the loss is no mean over rows that know nothing of each other.
    """
    pieces = model.spec.train.micro_batches
    said = model.said_of_training
    reason = why_no_mean(program, model.batch_axis, said) if pieces and program.loss else None
    if pieces and reason:
        problem = f"a gradient summed over micro-batches would not be that of the batch: {reason}"
        remedy = "make the loss a mean over independent rows, draw what a recurrence needs in an equation"
        remedy += " of all steps above it, or drop micro_batch_size"
        raise SpecError(problem, at=pieces.at, remedy=remedy)


def why_no_mean(program: Program, rows: str, said: Mapping[str, str] = NO_NAMES) -> str | None:
    """Why the loss of a batch is not the mean over its pieces, weighted by their rows; None if it is.

    `said` is what a spec calls tensors that have other names here.
    """
    reason = why_rows_are_coupled(program, rows, said)
    if reason:
        return reason
    loss = _parts(program, rows)[program.loss] if program.loss is not None else CONSTANT
    if loss in (CONSTANT, MEAN):
        return None
    what = "is a sum over the rows, not their mean" if loss.depends == "total" else "depends on their number"
    return f"'{program.loss}' {what}"


def weight_of_pieces(program: Program, rows: str, said: Mapping[str, str]) -> RowWeight | str:
    """By what the loss of a batch, and the next values of states, are means over its pieces, or their sums;
    or why they are neither, by the names that are `said` in the spec.
    """
    reason = why_no_mean(program, rows, said) or _why_no_next_mean(program, rows, ROWS)
    if reason is None:
        return ROWS
    if not rows:
        return reason
    if _is_sum(program, rows):
        return ADDED_UP
    for candidate in _sums_of_data(program, rows):
        found = _weighted_by(program, rows, candidate)
        if found is not None and _why_no_next_mean(program, rows, found) is None:
            return found
    return reason


def _is_sum(program: Program, rows: str) -> bool:
    """Whether the loss is a sum over the rows, and nothing else has to be a mean."""
    try:
        return not program.next_values and _parts(program, rows).get(program.loss or "") == SUM
    except _CoupledError:
        return False


def _sums_of_data(program: Program, rows: str) -> Iterator[str]:
    """The numbers behind the loss that are computed of rows and not of parameters."""
    learnt = {t.name for t in program.of_kind("parameter")}
    for equation in _behind(program, _ends(program)):
        if learnt & equation.reads:
            learnt.add(equation.target)
        elif not equation.indices and any(loop.axis.name == rows for loop in equation.loops):
            yield equation.target


def _weighted_by(program: Program, rows: str, total: str) -> RowWeight | None:
    """The weight that this number is; None where the loss is no mean by it."""
    try:
        parts = _parts(program, rows, total)
    except _CoupledError:
        return None
    power = parts[total].power
    loss = parts[program.loss] if program.loss is not None else CONSTANT
    if power not in (0, -1) or loss != WEIGHTED_MEAN:
        return None
    return RowWeight(total, times_rows=power == -1)


def _why_no_next_mean(program: Program, rows: str, weight: RowWeight) -> str | None:
    """Why the next value of a state is no mean over pieces; None where all are."""
    mean = WEIGHTED_MEAN if weight.total else MEAN
    for found in program.next_values:
        try:
            part = _parts(program, rows, weight.total, (found.equation,))[found.equation]
        except _CoupledError as coupled:
            return str(coupled)
        if part not in (CONSTANT, mean):
            return f"the next value of '{found.state}' is no mean over the rows"
    return None


def as_one_set(program: Program, sets: Collection[str], name: str) -> Program:
    """The program where the rows of several sets are those of one: what is a mean over these is one over
    pieces that have the same share of every set.
    """
    symbols: dict[sp.Basic, sp.Expr] = {extent_symbol(one): extent_symbol(name) for one in sets}

    def united(axis: Axis) -> Axis:
        return Axis(name, None) if axis.name in sets else axis

    return replace(
        program,
        tensors=tuple(replace(t, axes=tuple(map(united, t.axes))) for t in program.tensors),
        equations=tuple(
            replace(
                e,
                loops=tuple(replace(loop, axis=united(loop.axis)) for loop in e.loops),
                indices=tuple(index.xreplace(symbols) for index in e.indices),
                body=e.body.xreplace(symbols),
            )
            for e in program.equations
        ),
    )


def why_rows_are_coupled(program: Program, rows: str, said: Mapping[str, str] = NO_NAMES) -> str | None:
    """Why rows know of each other before the loss sums over them; None where none does. `said` as there."""
    if not rows:
        return "the spec has no axis of rows that stands first in its inputs and targets"
    try:
        _parts(program, rows)
    except _CoupledError as coupled:
        return f"'{said.get(coupled.name, coupled.name)}' {coupled.reason}"
    return None


def _is_row_by_row(program: Program, names: tuple[str, ...], rows: str) -> bool:
    """Whether these tensors are rows, each made of its own row of the data alone, and not of their number."""
    try:
        parts = _parts(program, rows, ends=names)
    except _CoupledError:
        return False
    of_rows = (program.tensor[name].axes[:1] for name in names)
    return all(axes and axes[0].name == rows for axes in of_rows) and all(
        parts[name] in (ROW, CONSTANT) for name in names
    )


def inference_by_rows(program: Program, rows: str) -> InferenceByRows:
    """What may be computed some rows at a time; `program` is the model without its gradient.

    Nothing where data of other sets of points would be computed with again each time.
    """
    data = (*program.of_kind("input"), *program.of_kind("target"))
    free = [[axis.name for axis in tensor.axes if axis.is_free] for tensor in data]
    if not rows or any(names and names[0] != rows for names in free):
        return InferenceByRows()
    loss = program.evaluation or program.loss
    weight: RowWeight | str = ""
    if loss is not None:
        weight = weight_of_pieces(replace(program, loss=loss, next_values=()), rows, {})
    return InferenceByRows(
        _is_row_by_row(program, program.prediction, rows), weight if isinstance(weight, RowWeight) else None
    )


def _ends(program: Program) -> tuple[str, ...]:
    return (program.loss,) if program.loss else ()


def _parts(
    program: Program, rows: str, weight: str = "", ends: tuple[str, ...] | None = None
) -> dict[str, _Part]:
    """What every tensor behind the loss is, or behind other `ends`; `weight` is a sum that stands for the
    number of rows.

    Raises:
        _CoupledError: no piece of a batch could know its entries; the message names the equation.
    """
    wanted = _ends(program) if ends is None else ends
    parts = {t.name: ROW if any(a.name == rows for a in t.axes) else CONSTANT for t in program.tensors}
    while True:
        for equation in _behind(program, wanted):
            try:
                part = _Separability(program, parts, rows, equation, weight).part()
                parts[equation.target] = _as_weight(part) if equation.target == weight else part
            except _MixedError as mixed:
                raise _CoupledError(_owner(program, equation), str(mixed)) from mixed
        wider = _handed_on(program, parts, wanted, weight)
        if wider.items() <= parts.items():
            return parts
        parts |= wider


def _as_weight(part: _Part) -> _Part:
    """A sum over the rows as what stands for their number. Raises _MixedError."""
    if part.depends != "total":
        raise _MixedError("is no sum over the rows")
    return replace(part, depends="constant", weight=Fraction(1))


def _handed_on(
    program: Program, parts: Mapping[str, _Part], wanted: tuple[str, ...], weight: str
) -> dict[str, _Part]:
    """What recurrences carry: at some steps what it was before, at others what it is made of or starts with.

    Raises:
        _CoupledError: no piece of a batch could know all of these.
    """
    found = {}
    for name in program.carried.keys() & program.needed(wanted):
        try:
            reads = (parts[read] for read in program.carried[name].reads)
            found[name] = reduce(partial(_pair, weight), reads, parts[name])
        except _MixedError as mixed:
            raise _CoupledError(name, f"is carried from step to step and {mixed}") from mixed
    return found


def _behind(program: Program, ends: tuple[str, ...]) -> list[Equation]:
    behind = program.needed(ends)
    return [equation for equation in program.equations if equation.target in behind]


def _owner(program: Program, equation: Equation) -> str:
    """The equation of the user's that a temporary belongs to: the next with a name of its own."""
    targets = [e.target for e in program.equations]
    later = targets[targets.index(equation.target) :]
    named = (t for t in later if program.tensor[t].kind != "temporary")
    return next((t for t in named if not isinstance(program.definition[t].body, drawn)), equation.target)


class _Separability:
    """Reads one equation, given what those above it are."""

    def __init__(
        self, program: Program, parts: dict[str, _Part], rows: str, equation: Equation, weight: str = ""
    ) -> None:
        self.program, self.parts, self.equation, self.weight = program, parts, equation, weight
        self.rows, self.count = rows, extent_symbol(rows)
        self.indices = {loop.index for loop in equation.loops if loop.axis.name == rows}
        self.used: set[sp.Basic] = set()

    def part(self) -> _Part:
        """What the target is.

        Raises:
            _MixedError: no piece of a batch could know its entries.
        """
        body = self._body(self.equation.body)
        if len(self.used) > 1:
            raise _MixedError("pairs rows with other rows")
        summed = self.indices - set(self.equation.indices)
        if self.equation.reduction not in ("none", "sum"):
            if summed:
                raise _MixedError(f"takes the {self.equation.reduction} over the rows")
            return self._function([body])
        total = self._summed(body, summed)
        if total.depends == "total" and self.indices - summed:
            raise _MixedError("gives every row a sum over the rows")
        return total

    def _summed(self, body: _Part, over: set[sp.Symbol]) -> _Part:
        if body.depends == "row" and self.used & over:
            return _Part("total", body.power + len(over) - 1)
        return replace(body, power=body.power + len(over))

    def _body(self, expr: sp.Expr) -> _Part:
        if isinstance(expr, Entry):
            return self._entry(expr)
        if expr == self.count:
            return _Part("constant", Fraction(1))
        if isinstance(expr, delta):
            return self._place(expr.args)
        if isinstance(expr, drawn):
            return self._drawn(expr.args[1:])
        if expr.is_Add:
            return self._merged(expr.args)
        if expr.is_Mul:
            return self._product(map(self._body, expr.args))
        if expr.is_Pow and not isinstance(expr, sp.exp) and expr.exp.is_number:
            return self._power(self._body(expr.base), expr.exp)
        if isinstance(expr, sp.Piecewise):
            values = self._merged([value for value, _ in expr.args])
            relations = [r for r in _relations(expr) if not self._asks_for_weight(r)]
            return self._chosen(values, [self._function([self._merged(r.args)]) for r in relations])
        return self._function([self._body(a) for a in expr.args])

    def _asks_for_weight(self, relation: sp.Basic) -> bool:
        """Whether something weighs anything: a piece that weighs nothing counts for nothing."""
        return isinstance(relation, sp.Eq | sp.Ne) and {*relation.args} == {Entry(self.weight), sp.S.Zero}

    def _entry(self, entry: Entry) -> _Part:
        own = self.parts[entry.tensor]
        axes = self.program.tensor[entry.tensor].axes
        along_rows = [i for i, axis in zip(entry.indices, axes, strict=True) if axis.name == self.rows]
        others = [i for i, axis in zip(entry.indices, axes, strict=True) if axis.name != self.rows]
        for index in along_rows:
            if index not in self.indices:
                raise _MixedError(f"reads a row of '{entry.tensor}' by its number")
            self.used.add(index)
        if self._place(others) == ROW and own.depends != "row":
            return self._product([own, ROW])
        return own

    def _drawn(self, places: Sequence[sp.Expr]) -> _Part:
        """Numbers of a row, which are counted from the first row on."""
        if any(place in self.indices for place in places[1:]):
            raise _MixedError("draws all numbers of a step at once, which are not counted row by row")
        self.used |= {*places[:1]} & self.indices
        return ROW if places[0] in self.indices else CONSTANT

    def _place(self, indices: Sequence[sp.Expr]) -> _Part:
        """What indices depend on: entries of labels, never the number of the row."""
        labels = {entry for index in indices for entry in index.atoms(Entry)}
        without = [index.xreplace(dict.fromkeys(labels, sp.Integer(0))) for index in indices]
        if any(index.free_symbols & self.indices for index in without):
            raise _MixedError("computes with the numbers of rows")
        return ROW if ROW in [self._body(label) for label in labels] else CONSTANT

    def _merged(self, terms: Iterable[sp.Expr]) -> _Part:
        """A sum. What is the same in all rows counts as its own mean over them, and 0 as anything."""
        parts = [self._body(term) for term in terms if term != 0]
        return reduce(partial(_pair, self.weight), parts) if parts else CONSTANT

    def _product(self, parts: Iterable[_Part]) -> _Part:
        result = CONSTANT
        for part in parts:
            depends = {result.depends, part.depends}
            if "total" in depends and "constant" not in depends:
                raise _MixedError("multiplies a sum over the rows by what depends on them too")
            wider = max(result, part, key=lambda p: WIDENING.index(p.depends))
            power, weight = result.power + part.power, result.weight + part.weight
            result = replace(wider, power=power, weight=weight)
        return result

    def _power(self, base: _Part, exponent: sp.Expr) -> _Part:
        if base.depends == "total":
            verb = "divides by" if exponent.is_negative else "takes a power of"
            raise _MixedError(f"{verb} a sum over the rows")
        if not base.is_scaled:
            return base
        if not exponent.is_Rational:
            raise _MixedError("puts the number of rows into a power")
        times = Fraction(int(exponent.p), int(exponent.q))
        return replace(base, power=base.power * times, weight=base.weight * times)

    def _chosen(self, values: _Part, conditions: list[_Part]) -> _Part:
        return self._product([values, ROW]) if ROW in conditions else values

    def _function(self, arguments: list[_Part]) -> _Part:
        """Something that is not linear: it may see a row, but no sum over them and not their number."""
        for argument in arguments:
            if argument.depends == "total":
                raise _MixedError("puts a sum over the rows into a function that is not linear")
            if argument.is_scaled:
                raise _MixedError("puts the number of rows into a function")
        return ROW if ROW in arguments else CONSTANT


def _pair(weight: str, a: _Part, b: _Part) -> _Part:
    """What may be either of two, as their sum is; a mean is one by the number of rows, or by a `weight`."""
    if a == b:
        return a
    if {a.depends, b.depends} == {"row", "total"}:
        raise _MixedError("compares rows with a sum over the rows")
    if "total" not in (a.depends, b.depends) and (a.power, a.weight) == (b.power, b.weight):
        return replace(a, depends="row")
    total, other = (a, b) if a.depends == "total" else (b, a)
    more, heavier = other.power - total.power, other.weight - total.weight
    is_own_mean = more == (0 if weight else 1) and heavier == (1 if weight else 0)
    if total.depends == "total" and other.depends == "constant" and is_own_mean:
        return total
    raise _MixedError("adds terms that grow differently with the number of rows")


def _relations(choice: sp.Piecewise) -> list[sp.Basic]:
    """The comparisons in all conditions of a choice."""
    return [r for _, condition in choice.args for r in condition.atoms(sp.core.relational.Relational)]
