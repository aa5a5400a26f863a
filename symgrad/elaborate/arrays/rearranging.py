"""Slices, transpose, split, einsum, outer, cumsum, one_hot and gather: entries read at other places.

None of them computes anything but what index notation would: `x[:, 1:]` is x[n, i + 1].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import Axis, show_axes
from symgrad.calculus.real import Piecewise
from symgrad.calculus.terms import delta, entries, leading
from symgrad.elaborate.arrays.special_forms import onehot
from symgrad.elaborate.operands import EquationBuilder, Value
from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.arrays.rearrangements import (
    arguments_by_name,
    axis_given,
    letters_of,
    order_of,
    split_cut,
)
from symgrad.spec.language.sizes.whole_numbers import whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from symgrad.errors import Position
    from symgrad.spec.language.arrays.rearrangements import Cut
    from symgrad.spec.language.syntax import Call, Node


class Rearranging:
    """Calls over values; `value_of` gives that of an argument, `owner` names temporaries."""

    def __init__(
        self,
        builder: EquationBuilder,
        sizes: Mapping[str, int],
        owner: str,
        value_of: Callable[[Node], Value],
    ) -> None:
        self.builder, self.sizes, self.owner, self.value_of = builder, sizes, owner, value_of

    def __call__(self, call: Call) -> Value:
        """The value of a call.

        Raises:
            SpecError: wrong arguments, or labels where numbers are computed with.
            ShapeError: axes that do not fit.
        """
        known: dict[str, Callable[[Call], Value]] = {
            "transpose": self.transposed,
            "split": self.part,
            "einsum": self.contracted,
            "outer": self.outer,
            "cumsum": self.running_sum,
            "one_hot": self.one_hot,
            "gather": self.gathered,
        }
        return known[call.function](call)

    def transposed(self, call: Call) -> Value:
        """The axes in another order."""
        value = self.value_of(call.arguments[0]) if call.arguments else Value((), (), sp.Integer(0))
        order = order_of(call, len(value.axes), self.sizes)
        return Value(tuple(value.axes[n] for n in order), tuple(value.indices[n] for n in order), value.body)

    def part(self, call: Call) -> Value:
        """One of the parts that an axis is cut into."""
        given = arguments_by_name(call)
        value = self.value_of(given["x"])
        place = axis_given(call, given.get("axis"), -1, len(value.axes), self.sizes)
        size = known_size(value.axes[place], call.function, call.at)
        return cut_along(value, place, split_cut(call, given, size, self.sizes), self.builder)

    def contracted(self, call: Call) -> Value:
        """A sum of products over the letters that the result lacks."""
        values = [self.value_of(node) for node in call.arguments[1:]]
        letters = letters_of(call, [len(value.axes) for value in values])
        self.builder.demand_numbers(values, "'einsum'", call.at)
        axis_of: dict[str, Axis] = {}
        for own, value in zip(letters.operands, values, strict=True):
            for letter, axis in zip(own, value.axes, strict=True):
                known = axis_of.setdefault(letter, axis)
                if not known.is_alike(axis):
                    problem = f"einsum: '{letter}' is the axis {known} and the axis {axis}"
                    raise ShapeError(problem, at=call.at, remedy="give each size a letter of its own")
        index = {letter: self.builder.index(axis) for letter, axis in axis_of.items()}
        bodies = [
            value.at([index[letter] for letter in own])
            for own, value in zip(letters.operands, values, strict=True)
        ]
        kept = tuple(index[letter] for letter in letters.result)
        product = Value(tuple(axis_of[letter] for letter in letters.result), kept, sp.Mul(*bodies))
        over = [index[letter] for letter in letters.summed]
        return self.builder.reduce(self.owner, "sum", product, over, call.at) if over else product

    def outer(self, call: Call) -> Value:
        """Every entry of one times every entry of another."""
        given = arguments_by_name(call)
        a, b = self.value_of(given["a"]), self.value_of(given["b"])
        self.builder.demand_numbers((a, b), "'outer'", call.at)
        second = tuple(self.builder.index(axis) for axis in b.axes)
        return Value((*a.axes, *b.axes), (*a.indices, *second), a.body * b.at(second))

    def running_sum(self, call: Call) -> Value:
        """The sums of all entries up to each, along an axis."""
        given = arguments_by_name(call)
        value = self.value_of(given["x"])
        self.builder.demand_numbers((value,), "'cumsum'", call.at)
        place = axis_given(call, given["axis"], -1, len(value.axes), self.sizes)
        if value.axes[place].name == self.builder.rows != "":
            problem = f"cumsum along the rows '{self.builder.rows}'"
            raise ShapeError(problem, at=call.at, remedy="they come in batches: sum along another axis")
        last, summed = value.indices[place], self.builder.index(value.axes[place])
        body = Piecewise((value.body.xreplace({last: summed}), summed <= last), (0, True))
        return self.builder.reduce(
            self.owner, "sum", Value(value.axes, value.indices, body), (summed,), call.at
        )

    def one_hot(self, call: Call) -> Value:
        """Labels as rows of zeros and a one, of a length that is given."""
        given = arguments_by_name(call)
        value = self.value_of(given["labels"])
        labels = self.builder.labels(value)
        classes = whole_number(given["classes"], "one_hot: classes", self.sizes)
        if labels is None:
            raise _no_labels(call)
        if classes < labels.classes:
            problem = f"one_hot: the labels '{labels.tensor}' are below {labels.classes}, not {classes}"
            raise ShapeError(problem, at=call.at, remedy=f"write {labels.classes} or more")
        rows = onehot(value, self.builder)
        if classes == labels.classes:
            return rows
        axis = Axis(None, classes)
        index = self.builder.index(axis)
        body = rows.body.replace(
            lambda e: isinstance(e, delta) and e.args[1] == rows.indices[-1],
            lambda e: delta(e.args[0], index),
        )
        return Value((*value.axes, axis), (*value.indices, index), body)

    def gathered(self, call: Call) -> Value:
        """The entries along an axis that labels name: the axes of the labels stand in its place."""
        given = arguments_by_name(call)
        value, chosen = self.value_of(given["x"]), self.value_of(given["labels"])
        labels = self.builder.labels(chosen)
        if labels is None:
            raise _no_labels(call)
        place = axis_given(call, given.get("axis"), 0, len(value.axes), self.sizes)
        axis = value.axes[place]
        if labels.ignore is not None or axis.size != labels.classes:
            what = (
                f"below {labels.classes}" if labels.ignore is None else f"{labels.ignore} where there is none"
            )
            raise ShapeError(
                f"gather: labels {what} for the axis {axis} of {show_axes(value.axes)}",
                at=call.at,
                remedy="the axis must have as many entries as there are labels",
            )
        index = value.indices[place]
        if any(i != index and index in i.free_symbols for e in entries(value.body) for i in e.indices):
            value = self.builder.temporary(call.function, value)  # a label is an index alone, not in a sum
        body = value.body.xreplace({value.indices[place]: chosen.body})
        axes = (*value.axes[:place], *chosen.axes, *value.axes[place + 1 :])
        return Value(axes, (*value.indices[:place], *chosen.indices, *value.indices[place + 1 :]), body)


def _no_labels(call: Call) -> SpecError:
    remedy = "declare them with their number: t: {axes: [batch], classes: 10}"
    return SpecError(f"{call.function} takes integer labels", at=call.at, remedy=remedy)


def cut_along(value: Value, place: int, cut: Cut[int], builder: EquationBuilder) -> Value:
    """The entries of an axis that a cut takes."""
    axis = value.axes[place]
    if (cut.start, cut.step, cut.count) == (0, 1, axis.size):
        return value
    new = Axis(None, cut.count)
    index = builder.index(new)
    axes, indices = list(value.axes), list(value.indices)
    axes[place], indices[place] = new, index
    form = leading(cut.start + cut.step * index)
    return Value(tuple(axes), tuple(indices), value.body.xreplace({value.indices[place]: form}))


def known_size(axis: Axis, what: str, at: Position) -> int:
    """The size of an axis.

    Raises:
        ShapeError: only the data decides it.
    """
    if axis.size is None:
        raise ShapeError(
            f"{what} along the axis '{axis}', whose size only the data decides",
            at=at,
            remedy=f"give it one: axes: {{{axis}: 10}}",
        )
    return axis.size
