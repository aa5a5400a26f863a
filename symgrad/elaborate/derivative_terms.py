"""Derivatives that formulas ask for: `d(u, x)` row by row, `d(u[n,i], x[n,j])` entry by entry.

The equations so far are differentiated by the calculus: forward where what varies is narrow, with one entry
of it after the other as an axis where there are several; in reverse where a number varies with many.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import show_axes
from symgrad.calculus.deriving.tangents import (
    EACH,
    ROW,
    Along,
    Direction,
    Place,
    Tangents,
    needed_from,
    row_places,
)
from symgrad.calculus.differentiate import differentiate
from symgrad.calculus.program import Equation, Loop, Program, Reduction, Tensor
from symgrad.calculus.terms import Entry, index_symbol, indices_in
from symgrad.elaborate.operands import EquationBuilder, Value
from symgrad.errors import ShapeError, SpecError, SpecWarning, warn
from symgrad.spec.language.builtins import MAX_ORDER
from symgrad.spec.language.syntax import Index, Name
from symgrad.spec.language.trees import transform
from symgrad.spec.language.unparse import unparse
from symgrad.spec.taken_names import unused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from symgrad.calculus.axes import Axes, Axis
    from symgrad.errors import Position
    from symgrad.spec.language.syntax import Call, Node

NARROW = 3
"""Entries in a row up to which a derivative by them is taken forward."""


class DerivativeTerms:
    """The derivatives among the equations of a builder; each tangent and each adjoint is made once."""

    def __init__(self, builder: EquationBuilder) -> None:
        self.builder = builder
        self.tangents = Tangents(builder.tensors, builder.equations, builder.add, builder.fresh)
        self.adjoints: dict[tuple[str, str], str] = {}

    def __call__(self, call: Call, owner: str, value_of: Callable[[Node], Value]) -> Value:
        """The value of a call `d(u, x, ...)`; `owner` names temporaries, `value_of` evaluates arguments.

        Raises:
            SpecError: it is called wrongly, or by what does not vary.
            ShapeError: the derivative is no tensor, or not one row by row.
        """
        _check_call(call)
        of, *by = call.arguments
        value = value_of(of)
        self.builder.demand_numbers([value], call.function, of.at)
        self.tangents.blind.clear()
        before: list[tuple[Node, Axes]] = [(of, value.axes)]
        for order, node in enumerate(by, 1):
            varied = value_of(node)
            source = self._source(node, varied)
            before.append((node, varied.axes))
            asked = replace(call, arguments=call.arguments[:order])
            rows = _Rows(call.at, tuple(before), self._atomic(value, owner), varied, self.builder.said)
            value = self._by(asked if order > 1 else of, rows, source)
        self._doubt_kinks(call)
        return self._shown(value)

    def along(self, call: Call, owner: str, value_of: Callable[[Node], Value]) -> Value:
        """The value of a call of `ALONG`: what an entry changes by, where all entries of a tensor change."""
        value, varied, change = (value_of(node) for node in call.arguments)
        of, by = self._atomic(value, owner).body, varied.body
        changed = change.at(varied.indices) if change.axes else change.body
        further = sorted(indices_in(changed) - indices_in(by), key=str)
        names = {index: index_symbol(f"_a{n}") for n, index in enumerate(further)}
        loops = tuple(Loop(name, self.builder.axis_of[index]) for index, name in names.items())
        direction = Along(by.tensor, by.indices, changed.xreplace(names), loops)
        self.tangents.blind.clear()
        tangent = self.tangents.of(of.tensor, direction) if isinstance(of, Entry) else None
        slope = sp.Integer(0)
        if tangent is not None:
            slope = tangent.at(of.indices).xreplace({name: index for index, name in names.items()})
        return replace(value, body=slope)

    def _shown(self, value: Value) -> Value:
        """The derivative as a tensor with a line of its own."""
        tensor = self.builder.tensors.get(value.body.tensor) if isinstance(value.body, Entry) else None
        if tensor is not None and tensor.by:
            self.builder.tensors[tensor.name] = replace(tensor, kind="value")
        return value

    def _atomic(self, value: Value, owner: str) -> Value:
        """The value as entries of a tensor, unless it is a number."""
        is_entry = isinstance(value.body, Entry)
        return value if is_entry or not value.body.atoms(Entry) else self.builder.temporary(owner, value)

    def _by(self, of: Node, rows: _Rows, source: Entry) -> Value:
        """The derivative of a value, that of `of`."""
        in_indices = not rows.value.axes and not rows.varied.axes
        derivative = None
        if isinstance(rows.value.body, Entry):
            entries = (rows.value.body, source) if in_indices else (rows.of, rows.by)
            derivative = self._entry(rows, *entries, must_be_rows=not in_indices)
        if derivative is None and not self.tangents.blind:
            by = self._told(rows.before[-1][0])
            problem = f"the derivative of '{self._told(of)}' by '{by}' is 0: it does not depend on it"
            remedy = f"compute it from '{by}', in equations above, or leave the term out"
            warn(SpecWarning(problem, at=rows.at, remedy=remedy))
        return Value(rows.axes, rows.indices, sp.Integer(0) if derivative is None else derivative)

    def _doubt_kinks(self, call: Call) -> None:
        """Warn of slopes with jumps that are differentiated: they are flat beside them."""
        if self.tangents.blind:
            kinked = min(map(self._owner, self.tangents.blind))
            problem = (
                f"'{self._told(call)}' is blind to kinks: '{kinked}' has a slope that is flat but for jumps"
            )
            remedy = "take smooth functions, such as tanh or softplus for relu"
            warn(SpecWarning(problem, at=call.at, remedy=remedy))

    def _told(self, node: Node) -> str:
        return _told(node, self.builder.said)

    def _owner(self, name: str) -> str:
        """What the spec calls a tensor, or the one that a temporary is of."""
        of = name if self.builder.tensors[name].kind != "temporary" else name.rpartition("_")[0]
        return self.builder.said.get(of, of)

    def _source(self, node: Node, varied: Value) -> Entry:
        """The entry that varies."""
        name = node.id if isinstance(node, Name) else node.tensor if isinstance(node, Index) else ""
        entry = varied.body
        is_named = isinstance(entry, Entry) and self.builder.tensors[entry.tensor].kind != "temporary"
        if not name or not isinstance(entry, Entry) or not is_named:
            problem = "a derivative is by a tensor or by an entry of one"
            remedy = "write d(u, x) or d(u[n], x[n,j]); give what is computed an equation of its own"
            raise SpecError(problem, at=node.at, remedy=remedy)
        tensor = self.builder.tensors[entry.tensor]
        if tensor.is_integer:
            problem = f"'{name}' holds integer labels, nothing has a slope along them"
            raise SpecError(problem, at=node.at, remedy="differentiate by numbers: an input without classes")
        if tensor.kind == "constant":
            problem = f"'{name}' is a constant, nothing varies it"
            raise SpecError(problem, at=node.at, remedy="make it an input")
        return entry

    # One entry by another -------------------------------------------------------------------

    def _entry(self, rows: _Rows, of: Entry, by: Entry, must_be_rows: bool) -> sp.Expr | None:
        """The derivative of one entry by another; None where it is 0 as nothing depends on it."""
        equations = self.builder.equations
        if of.tensor != by.tensor and of.tensor not in needed_from(equations, of.tensor, by.tensor):
            return None
        axes = self.builder.tensors[by.tensor].axes
        places: list[Place] = []
        for number, (index, axis) in enumerate(zip(by.indices, axes, strict=True)):
            if axis.size == 1:
                places.append(0)
            elif index.is_Integer:
                places.append(int(index))
            elif self._is_row(of, by, number):
                places.append(ROW)
            elif must_be_rows and index == rows.row:
                raise self._across(rows, of.tensor, by.tensor, number)
            else:
                places.append(EACH)
        direction = Direction(by.tensor, tuple(places), axes)
        if self._is_wide(of, direction):
            return Entry(self._adjoint(of, by.tensor), by.indices)
        tangent = self.tangents.of(of.tensor, direction)
        if tangent is None:
            return None
        seeds = {index_symbol(f"_s{n}"): index for n, index in enumerate(by.indices)}
        return tangent.at(of.indices).xreplace(seeds)

    def _is_row(self, of: Entry, by: Entry, axis: int) -> bool:
        """Whether the entry's index is that of the other's row, and each row depends on its own alone."""
        index = by.indices[axis]
        if not isinstance(index, sp.Symbol) or index not in of.indices:
            return False
        if of.tensor == by.tensor:
            return bool(of.indices[axis] == index)
        place = row_places(self.builder.equations, by.tensor, axis)[of.tensor]
        return place is not None and bool(of.indices[place] == index)

    def _is_wide(self, of: Entry, direction: Direction) -> bool:
        """Whether one number in a row varies with many, so that one adjoint is less than their tangents."""
        axes = self.builder.tensors[direction.tensor].axes
        runs = [axes[n] for n, place in enumerate(direction.places) if place == EACH]
        if of.tensor == direction.tensor or not runs or set(direction.places) - {ROW, EACH}:
            return False
        width = math.prod(axis.size or NARROW + 1 for axis in runs)
        own = self.builder.tensors[of.tensor].axes
        rows = [
            row_places(self.builder.equations, direction.tensor, n)[of.tensor]
            for n, place in enumerate(direction.places)
            if place == ROW
        ]
        return width > NARROW and all(axis.size == 1 or n in rows for n, axis in enumerate(own))

    def _adjoint(self, of: Entry, by: str) -> str:
        """The tensor of the derivatives of the sum over all rows."""
        known = self.adjoints.get((of.tensor, by))
        if known in self.builder.tensors:
            return known
        before = _with_sum(self.builder, of.tensor)
        after = differentiate(before, [by], prefix=f"{of.tensor}_")
        (gradient,) = after.gradients
        needed = after.needed([gradient.name])
        base = self.builder.tensors[of.tensor]
        for equation in after.equations[len(before.equations) :]:
            if equation.target in needed:
                made = after.tensor[equation.target]
                origin = (base.of or base.name, (*base.by, made.of)) if made.of else ("", ())
                self.builder.add(replace(made, kind="temporary", of=origin[0], by=origin[1]), equation)
        self.adjoints[of.tensor, by] = gradient.name
        return gradient.name

    def _across(self, rows: _Rows, of: str, by: str, axis: int) -> ShapeError:
        """The error for rows that depend on others."""
        places = row_places(self.builder.equations, by, axis)
        needed = needed_from(self.builder.equations, of, by)
        names = [e.target for e in self.builder.equations if e.target in needed and places[e.target] is None]
        where = f": '{self._owner(names[0])}' takes several rows together" if names else ""
        of_shown, by_shown = (self._told(node) for node, _ in (rows.before[0], rows.before[-1]))
        problem = f"row n of '{of_shown}' does not depend on row n of '{by_shown}' alone{where}"
        return ShapeError(problem, at=rows.at, remedy=rows.in_indices("m"))


def _check_call(call: Call) -> None:
    if call.keywords or len(call.arguments) < 2:
        problem = "d takes a value and what it is differentiated by"
        raise SpecError(problem, at=call.at, remedy="write d(u, x), or d(u, x, x) for a second derivative")
    order = len(call.arguments) - 1
    if order > MAX_ORDER:
        problem = f"a derivative of order {order}; the highest there is has order {MAX_ORDER}"
        raise SpecError(problem, at=call.at, remedy="give a lower one an equation, and take d of that")


@dataclass(frozen=True)
class _Rows:
    """Two values in matrix notation, whose first axes are rows where they are one axis.

    One of them has one number in a row, or as a whole where there are no rows; the derivative has the axes of
    the other. `before` are the arguments up to what varies, with their axes; `said` is what the spec calls
    the tensors that it names.
    """

    at: Position
    before: tuple[tuple[Node, Axes], ...]
    value: Value
    varied: Value
    said: Mapping[str, str]

    @property
    def _share_rows(self) -> bool:
        first, second = self.value.axes[:1], self.varied.axes[:1]
        return bool(first and second) and first[0].fits(second[0]) and first[0].size != 1

    @property
    def row(self) -> sp.Symbol | None:
        """The index of the rows."""
        return self.value.indices[0] if self._share_rows else None

    @property
    def _takes_axes_of_value(self) -> bool:
        own, varied = self.value.axes, self.varied.axes
        rows = int(self._share_rows)
        if _is_one_number(varied[rows:]):
            return True
        if _is_one_number(own[rows:]):
            return False
        where = " in a row" if rows else ""
        raise ShapeError(
            f"the derivative of {show_axes(own)} by {show_axes(varied)}: several numbers{where} by several",
            at=self.at,
            remedy=self.in_indices("n" if rows else "m"),
        )

    @property
    def axes(self) -> Axes:
        """The axes of the derivative."""
        return self.value.axes if self._takes_axes_of_value else self.varied.axes

    @property
    def indices(self) -> tuple[sp.Symbol, ...]:
        """An index for each axis of the derivative."""
        if self._takes_axes_of_value:
            return self.value.indices
        return tuple(self._renamed.get(i, i) for i in self.varied.indices)

    @property
    def _renamed(self) -> dict[sp.Symbol, sp.Expr]:
        return {self.varied.indices[0]: self.value.indices[0]} if self._share_rows else {}

    @property
    def of(self) -> Entry:
        """The entry that is differentiated."""
        narrow = () if self._takes_axes_of_value else self.value.indices[int(self._share_rows) :]
        return _at_places(self.value, dict.fromkeys(narrow, sp.Integer(0)))

    @property
    def by(self) -> Entry:
        """The entry that varies."""
        narrow = self.varied.indices[int(self._share_rows) :] if self._takes_axes_of_value else ()
        return _at_places(self.varied, {**self._renamed, **dict.fromkeys(narrow, sp.Integer(0))})

    def in_indices(self, row: str) -> str:
        """The index form, as a remedy; `row` is the first index of what varies.

        Only what has a name has entries: anything else must be given one.
        """
        letters = iter("ijklpqrstuvw")
        places: list[tuple[str, ...]] = []
        for number, (_, axes) in enumerate(self.before):
            first = row if number == len(self.before) - 1 else "n"
            places.append((first, *(next(letters) for _ in axes[1:])) if axes else ())
        of = self.before[0][0]
        has_name = not places[0] or (isinstance(of, Name) and of.id in self.said)
        name = _told(of, self.said) if has_name else unused("u", self.said)
        tensors = [name, *(_told(node, self.said) for node, _ in self.before[1:])]
        shown = [
            tensor + (f"[{','.join(place)}]" if place else "")
            for tensor, place in zip(tensors, places, strict=True)
        ]
        left = dict.fromkeys(index for place in places for index in place)
        naming = "" if has_name else f"give what is differentiated an equation of its own, {name}, and "
        form = f'"J[{",".join(left)}]": "d({", ".join(shown)})"'
        return f"{naming}say which entry by which in index notation: {form}"


def _told(node: Node, said: Mapping[str, str]) -> str:
    """A formula as a spec says it: in training what is called h there may be another tensor."""
    return unparse(transform(node, lambda part: _called(part, said)))


def _called(node: Node, said: Mapping[str, str]) -> Node:
    match node:
        case Name(name):
            return replace(node, id=said.get(name, name))
        case Index(name):
            return replace(node, tensor=said.get(name, name))
    return node


def _at_places(value: Value, places: Mapping[sp.Symbol, sp.Expr]) -> Entry:
    entry: Entry = value.body.xreplace(dict(places))
    return entry


def _is_one_number(axes: Sequence[Axis]) -> bool:
    return all(axis.size == 1 for axis in axes)


def _with_sum(builder: EquationBuilder, name: str) -> Program:
    """The equations so far, with the sum of all entries of a tensor as their loss."""
    axes = builder.tensors[name].axes
    indices = tuple(index_symbol(f"_d{number}") for number in range(len(axes)))
    loops = tuple(Loop(index, axis) for index, axis in zip(indices, axes, strict=True))
    total = builder.fresh(f"{name}_sum")
    reduction: Reduction = "sum" if loops else "none"
    summed = Equation(total, (), loops, reduction, Entry(name, indices))
    tensors = (*builder.tensors.values(), Tensor(total, (), "temporary"))
    return Program(tensors, (*builder.equations, summed), (), total)
