"""Whether a loss is a mean over the rows of a batch, so that the pieces of a batch add up to it.

A mean over the rows is what a gradient computed piece by piece, each piece weighted by its rows, can be
exact for; `pieces_of_batches` finds what is one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import Axis
from symgrad.calculus.terms import extent_symbol
from symgrad.errors import SpecError
from symgrad.passes.dividing.pieces_of_batches import (
    CONSTANT,
    MEAN,
    ROW,
    SUM,
    WEIGHTED_MEAN,
    CoupledError,
    Coupling,
    behind,
    ends_of,
    parts_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from symgrad.calculus.program import Program
    from symgrad.spec.model import Model


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


NO_NAMES: Mapping[str, str] = MappingProxyType({})
ROWS, ADDED_UP = RowWeight(), RowWeight(adds_up=True)


def check_micro_batches(model: Model, program: Program) -> None:
    """Refuse micro-batches where they would change the gradient; `program` is the model without its gradient.

    Raises:
        SpecError: the loss is no mean over rows that know nothing of each other.
    """
    pieces = model.spec.train.micro_batches
    said = model.said
    reason = why_no_mean(program, model.batch_axis, said) if pieces and program.loss else None
    if pieces and reason:
        problem = f"a gradient summed over micro-batches would not be that of the batch: {reason}"
        remedy = "make the loss a mean over independent rows, draw what a recurrence needs in an equation"
        remedy += " of all steps above it, or drop micro_batch_size"
        raise SpecError(problem, at=pieces.at, remedy=remedy)


def why_no_mean(program: Program, rows: str, said: Mapping[str, str] = NO_NAMES) -> Coupling | None:
    """Why the loss of a batch is not the mean over its pieces, weighted by their rows; None if it is.

    `said` is what a spec calls tensors that have other names here.
    """
    reason = why_rows_are_coupled(program, rows, said)
    if reason:
        return reason
    loss = parts_of(program, rows)[program.loss] if program.loss is not None else CONSTANT
    if loss in (CONSTANT, MEAN):
        return None
    what = "is a sum over the rows, not their mean" if loss.depends == "total" else "depends on their number"
    return Coupling(what, program.loss or "")


def weight_of_pieces(program: Program, rows: str, said: Mapping[str, str]) -> RowWeight | Coupling:
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
        return not program.next_values and parts_of(program, rows).get(program.loss or "") == SUM
    except CoupledError:
        return False


def _sums_of_data(program: Program, rows: str) -> Iterator[str]:
    """The numbers behind the loss that are computed of rows and not of parameters."""
    learnt = {t.name for t in program.of_kind("parameter")}
    for equation in behind(program, ends_of(program)):
        if learnt & equation.reads:
            learnt.add(equation.target)
        elif not equation.indices and any(loop.axis.name == rows for loop in equation.loops):
            yield equation.target


def _weighted_by(program: Program, rows: str, total: str) -> RowWeight | None:
    """The weight that this number is; None where the loss is no mean by it."""
    try:
        parts = parts_of(program, rows, total)
    except CoupledError:
        return None
    power = parts[total].power
    loss = parts[program.loss] if program.loss is not None else CONSTANT
    if power not in (0, -1) or loss != WEIGHTED_MEAN:
        return None
    return RowWeight(total, times_rows=power == -1)


def _why_no_next_mean(program: Program, rows: str, weight: RowWeight) -> Coupling | None:
    """Why the next value of a state is no mean over pieces; None where all are."""
    mean = WEIGHTED_MEAN if weight.total else MEAN
    for found in program.next_values:
        try:
            part = parts_of(program, rows, weight.total, (found.equation,))[found.equation]
        except CoupledError as coupled:
            return coupled.coupling
        if part not in (CONSTANT, mean):
            return Coupling(f"the next value of '{found.state}' is no mean over the rows")
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


def why_rows_are_coupled(program: Program, rows: str, said: Mapping[str, str] = NO_NAMES) -> Coupling | None:
    """Why rows know of each other before the loss sums over them; None where none does. `said` as there."""
    if not rows:
        return Coupling("the spec has no axis of rows that stands first in its inputs and targets")
    try:
        parts_of(program, rows)
    except CoupledError as coupled:
        return coupled.coupling.in_words_of(said)
    return None


def _is_row_by_row(program: Program, names: tuple[str, ...], rows: str) -> bool:
    """Whether these tensors are rows, each made of its own row of the data alone, and not of their number."""
    try:
        parts = parts_of(program, rows, ends=names)
    except CoupledError:
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
    weight: RowWeight | Coupling | None = None
    if loss is not None:
        weight = weight_of_pieces(replace(program, loss=loss, next_values=()), rows, {})
    return InferenceByRows(
        _is_row_by_row(program, program.prediction, rows), weight if isinstance(weight, RowWeight) else None
    )
