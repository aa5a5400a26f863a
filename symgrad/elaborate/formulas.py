"""Formulas to values: what each construct of the spec language means."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

import sympy as sp

from symgrad.calculus.axes import Axes, Axis, show_axes
from symgrad.calculus.terms import INFINITE, Entry, extent_symbol, is_large, leading, stop_gradient
from symgrad.elaborate.arrays.drawn_tensors import drawn
from symgrad.elaborate.arrays.placing import placed
from symgrad.elaborate.arrays.rearranging import Rearranging
from symgrad.elaborate.arrays.reshaping import reshaped
from symgrad.elaborate.arrays.slicing import sliced
from symgrad.elaborate.arrays.special_forms import onehot, spread
from symgrad.elaborate.call_arguments import arguments_of, check_loss, located_at
from symgrad.elaborate.derivative_terms import DerivativeTerms
from symgrad.elaborate.indexing.index_ranges import declared_axes, demand_indices, index_axes
from symgrad.elaborate.indexing.nested_indices import IndexPart, split_indices
from symgrad.elaborate.indexing.tensor_entries import entry_of, index_place
from symgrad.elaborate.operands import EquationBuilder, Value, scalar
from symgrad.elaborate.operations import ARITHMETIC, SCALAR, applied, chosen_by, larger, smaller
from symgrad.elaborate.reducing import check_keywords, index_names, over_axes, place_of, reduced
from symgrad.elaborate.scope import Scope, indexes, unknown_name
from symgrad.errors import Position, ShapeError, SpecError
from symgrad.spec import library
from symgrad.spec.expansion.calls import bind
from symgrad.spec.expansion.written_out import operations_of
from symgrad.spec.language.arrays.placements import PLACEMENTS, read_placement
from symgrad.spec.language.arrays.rearrangements import REARRANGEMENTS
from symgrad.spec.language.builtins import ALONG, STOP_GRADIENT, UNIFORM, is_derivative
from symgrad.spec.language.declared_ranges import axis_size, range_size, ranges_in, ranges_of
from symgrad.spec.language.sizes.size_forms import free_size, may_hold
from symgrad.spec.language.sizes.whole_numbers import (
    SIZE,
    axis_measured,
    tensor_measured,
    whole_number,
    with_sizes,
)
from symgrad.spec.language.syntax import (
    Binary,
    Boolean,
    Call,
    Compare,
    Index,
    Infinity,
    Name,
    Negate,
    Node,
    Number,
    Slice,
    Text,
    Transpose,
    Tuple,
)
from symgrad.spec.language.trees import replaced, with_whole_axes
from symgrad.spec.reductions import EXTREMA, REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from symgrad.calculus.program import Tensor
    from symgrad.spec.language.sizes.size_forms import Whole
    from symgrad.spec.model import EachStep, EquationSpec, FunctionSpec

MAX_NODES = 30_000
"""How many operations all formulas of a spec may hold, with the functions they call written out."""


class Evaluator:
    """Evaluates formulas over the tensors defined so far; `sizes` and free axes are numbers in formulas.

    `extrema` says what max(a, b) and min(a, b) become: a choice, which has a slope on both sides.
    """

    extrema: ClassVar[Mapping[str, Callable[..., sp.Expr]]] = {"max": larger, "min": smaller}

    def __init__(
        self, builder: EquationBuilder, functions: Mapping[str, FunctionSpec], sizes: Mapping[str, int]
    ) -> None:
        self.builder, self.functions, self.sizes = builder, functions, sizes
        self.derivatives = DerivativeTerms(builder)
        self.nodes, self.operations_of = 0, operations_of(functions)

    def note_free_axes(self, axes: Axes) -> None:
        """Remember the names of free axes: a formula may use them as sizes."""
        self.builder.free_sizes |= {a.name: extent_symbol(a.name) for a in axes if a.is_free and a.name}

    def axis_of_size(self, name: str, size: Node) -> Axis:
        """The axis that an index of a declared range runs over.

        Raises:
            SpecError: the range is no size.
        """
        if isinstance(size, Call) and size.function == SIZE:
            return self.axis_measured(size)
        found = range_size(name, size, self._known_sizes, self._measured)
        axis = Axis.of(found, size.id if isinstance(size, Name) else None)
        self._check_length(name, axis, size.at)
        return axis

    def _check_length(self, name: str, axis: Axis, at: Position) -> None:
        """Refuse a range that has no entries for long data, or follows from a number of rows."""
        if axis.form is None:
            return
        problem = f"the range of index '{name}' has {axis.form} values"
        if self.builder.rows in axis.form.free:
            remedy = "write the axis itself, or a range that does not depend on them"
            raise SpecError(f"{problem}, where rows are taken in batches", at=at, remedy=remedy)
        if not may_hold(axis.form - 1):
            remedy = "expected one that is 1 or more for all data that are long enough"
            raise SpecError(f"{problem}: no entries for some data", at=at, remedy=remedy)

    def evaluate(self, formula: Node, owner: str, bound: Mapping[str, Value] | None = None) -> Value:
        """The value of a formula; `owner` names the temporaries it needs, `bound` are values by name.

        Raises:
            SpecError: an unknown name, a result that is no real number, or a formula that is too large.
            ShapeError: operands that do not fit together.
        """
        values = dict(bound or {})
        return self._value(self._sized(formula, values), Scope(owner, values))

    def axes_on_the_left(self, equation: EquationSpec, tensors: Mapping[str, Tensor]) -> Axes:
        """The axes of `name[n,k]: formula`, read off the tensors in it that are known.

        Raises:
            SpecError, ShapeError: an index without a range.
        """
        formula = self._of_known(equation.formula, tensors)
        ranges = declared_axes((*equation.ranges, *ranges_in(formula)), self.axis_of_size)
        axes = index_axes(replace(equation, formula=formula), tensors, ranges, self.builder.rows)
        return tuple(axes[name] for name in equation.indices or ())

    def _of_known(self, formula: Node, tensors: Mapping[str, Tensor]) -> Node:
        """The formula without entries of what is not known."""

        def change(node: Node) -> Node | None:
            is_known = not isinstance(node, Index) or node.tensor in tensors
            return None if is_known else Number(Fraction(1), node.at)

        return replaced(self._sized(formula, {}), change)

    def in_index_notation(self, equation: EquationSpec, known: Mapping[str, Axis] | None = None) -> Value:
        """The value of `name[n,k]: formula`, whose indices are scalars inside the formula.

        Those in `known` run over these axes.

        Raises:
            SpecError, ShapeError: as `evaluate` does, or an index without a range.
        """
        names = equation.indices or ()
        equation = replace(equation, formula=self._sized(equation.formula, {}))
        ranges = declared_axes((*equation.ranges, *ranges_in(equation.formula)), self.axis_of_size)
        axes = index_axes(equation, self.builder.tensors, {**ranges, **(known or {})}, self.builder.rows)
        formula, parts = split_indices(equation.formula, {n: axes[n] for n in names}, self.sizes)
        index = self._indices(names, axes, parts)
        value = self._value(formula, Scope(equation.name, {}).with_indices(index))
        if value.axes:
            raise ShapeError(
                f"each entry of '{equation.shown}' must be one number, this is {show_axes(value.axes)}",
                at=equation.formula.at,
                remedy="index every tensor: X[n,d]",
            )
        inner = tuple(index.values())
        whole = Value(tuple(self.builder.axis_of[i] for i in inner), inner, value.body)
        if not parts:
            return whole
        places = [_form_of(parts[n], index) if n in parts else index[n] for n in names]
        return self.builder.placed(equation.name, whole, tuple(axes[n] for n in names), places)

    def at_each_step(self, equation: EquationSpec, each: EachStep) -> Value:
        """The value of `name[:, t]: formula`, which gives all of one step.

        Raises:
            SpecError, ShapeError: as `evaluate` does, the number of steps is not known, or a step is of other
                sizes than the left side says.
        """
        demand_indices(equation, each)
        axis = replace(self.axis_of_steps(equation, each, self.builder.tensors), letter=each.index)
        index = self.builder.index(axis)
        scope = Scope(equation.name, {}).with_indices({each.index: index})
        value = self._value(self._of_one_step(equation.formula), scope)
        least = max(each.along, len(each.sizes) - 1)
        if len(value.axes) < least:
            what = f"each step of '{equation.left_side}'" if equation.solving is None else "what this gives"
            problem = f"{what} is {show_axes(value.axes)}"
            remedy = f"expected {least} {'axis' if least == 1 else 'axes'} or more"
            raise ShapeError(problem, at=equation.formula.at, remedy=remedy)
        axes = (*value.axes[: each.along], axis, *value.axes[each.along :])
        for size, found in zip(each.sizes, axes, strict=False):
            said = None if size is None else self.axis_of_size(each.index, size)
            if said is not None and not said.fits(found):
                given = axes if equation.solving is None else (*axes[: each.along], *axes[each.along + 1 :])
                problem = f"'{equation.shown}' is {show_axes(given)}, on its left side stands {said}"
                raise ShapeError(problem, at=equation.at, remedy=f"expected {found}")
        indices = (*value.indices[: each.along], index, *value.indices[each.along :])
        return Value(axes, indices, value.body)

    def axis_of_steps(self, equation: EquationSpec, each: EachStep, tensors: Mapping[str, Tensor]) -> Axis:
        """The axis of steps of an equation: as its left side says, or that of a tensor that it reads there.

        Raises:
            ShapeError: neither does.
        """
        size = each.sizes[each.along]
        said = {} if size is None else {each.index: self.axis_of_size(each.index, size)}
        known = replace(equation, formula=self._of_known(equation.formula, tensors))
        return index_axes(known, tensors, said, self.builder.rows)[each.index]

    def _of_one_step(self, formula: Node) -> Node:
        def rank_of(name: str) -> int | None:
            tensor = self.builder.tensors.get(name)
            return None if tensor is None else len(tensor.axes)

        return with_whole_axes(self._sized(formula, {}), rank_of)

    def _indices(
        self, names: Iterable[str], axes: Mapping[str, Axis], parts: Mapping[str, Sequence[IndexPart]]
    ) -> dict[str, sp.Symbol]:
        """An index for every name, or for every one of its parts, the last of them innermost."""
        found: dict[str, sp.Symbol] = {}
        for name in names:
            if name in parts:
                found |= {p.name: self.builder.index(Axis.of(p.size)) for p in reversed(parts[name])}
            else:
                found[name] = self.builder.index(replace(axes[name], letter=name))
        return found

    # Sizes ----------------------------------------------------------------------------------

    def axis_measured(self, call: Call, bound: Mapping[str, Value] | None = None) -> Axis:
        """The axis whose size a call of `size` asks for.

        Raises:
            SpecError, ShapeError: there is no such tensor or axis.
        """
        name = Name(tensor_measured(call), call.at)
        axes = self._name(name, Scope("", bound or {})).axes
        return axes[axis_measured(call, len(axes))]

    def axis_of_formula(self, formula: Node, what: str) -> Axis:
        """The axis whose size is a formula of whole numbers; `what` says what it is of.

        Raises:
            SpecError, ShapeError: it is no such formula, or no size.
        """
        if isinstance(formula, Call) and formula.function == SIZE:
            return self.axis_measured(formula)
        return Axis(None, axis_size(self._sized(formula, {}), what, self.sizes))

    def whole(self, formula: Node, what: str) -> Whole:
        """The whole number a formula of sizes comes to; `what` says what it is of.

        Raises:
            SpecError, ShapeError: it is no such formula.
        """
        return whole_number(self._sized(formula, {}), what, self._known_sizes, self._measured)

    @property
    def _known_sizes(self) -> dict[str, Whole]:
        """Sizes by name, those that the data decides too."""
        free: dict[str, Whole] = {name: free_size(name) for name in self.builder.free_sizes}
        return {**free, **self.sizes}

    def _measured(self, call: Call) -> Whole:
        return self.axis_measured(call).whole

    def _sized(self, formula: Node, bound: Mapping[str, Value]) -> Node:
        """The formula with sizes as numbers, but those that only the data decides."""

        def shape_of(name: str) -> tuple[int | None, ...] | None:
            known = bound.get(name) or self.builder.tensors.get(name)
            return None if known is None else tuple(axis.size for axis in known.axes)

        return with_sizes(formula, shape_of)

    # Dispatch -------------------------------------------------------------------------------

    def _value(self, node: Node, around: Scope) -> Value:
        self._count(node)
        scope = around.deeper(node)
        match node:
            case Number(value):
                return scalar(sp.Rational(value.numerator, value.denominator))
            case Name():
                return self._name(node, scope)
            case Infinity():
                self.builder.hides = True
                return scalar(INFINITE)
            case Negate(operand):
                return self._combine(lambda a: -a, "-", node.at, scope, operand)
            case Binary("@", left, right, at):
                sides = self._value(left, scope), self._value(right, scope)
                return self.builder.matmul(scope.owner, *sides, at)
            case Binary(("//" | "%") as operator, at=at):
                remedy = "it stands in sizes, size(x, 1) // 2, and after an index, i // 2"
                raise SpecError(f"'{operator}' is of whole numbers", at=at, remedy=remedy)
            case Binary(operator, left, right, at):
                return self._combine(ARITHMETIC[operator], operator, at, scope, left, right)
            case Transpose(operand):
                turned = self._value(operand, scope)
                return Value(turned.axes[::-1], turned.indices[::-1], turned.body)
            case Index():
                return self._entry(node, scope)
            case Call():
                return self._call(node, scope)
            case Compare(at=at):
                raise SpecError(
                    "a comparison has no value", at=at, remedy="it stands first in where(x > 0, a, b)"
                )
            case Boolean(at=at):
                raise SpecError(
                    "true and false have no value", at=at, remedy="write a number, or keepdims=true"
                )
            case Tuple(at=at) | Text(at=at) | Slice(at=at):
                raise SpecError(
                    "a list has no value", at=at, remedy="it may be an argument: reshape(x, [8, 8])"
                )
        raise TypeError(node)

    def _count(self, node: Node) -> None:
        self.nodes += 1
        ahead = self.operations_of(node.function) if isinstance(node, Call) else 0
        if self.nodes + ahead > MAX_NODES:
            raise SpecError(
                f"more than {MAX_NODES:,} operations, with the functions that formulas call written out",
                at=node.at,
                remedy="give what is computed more than once an equation of its own",
            )

    def _combine(
        self, function: Callable[..., sp.Expr], what: str, at: Position, scope: Scope, *operands: Node
    ) -> Value:
        """`function` entry by entry; a large body gets a name of its own, 0·x needs nothing of x."""
        mark = self.builder.mark(scope.owner)
        values = [self._value(operand, scope) for operand in operands]
        if what in ("where", *EXTREMA):
            # SymPy would merge a choice inside a condition into one of exponential size.
            last = values[3:]  # where(c, a, where(d, b, e)) is one choice
            values = [self._named(v, scope) if v.body.has(sp.Piecewise) else v for v in values[:3]] + last
        if what == "sin" and values[0].body.has(sp.atan):
            # SymPy would make v/√(1 + v²) of sin(atan v): 0 where v² overflows, and no number at inf.
            values = [self._named(values[0], scope)]
        if what == "**":
            self.check_zero_base(values[0], values[1], at)
        value = self.builder.combine(
            lambda *bodies: applied(function, list(bodies), what, at), values, what, at
        )
        if not value.body.atoms(Entry):
            self.builder.forget(scope.owner, mark)
        return self._named(value, scope) if is_large(value.body) else value

    def check_zero_base(self, base: Value, exponent: Value, at: Position) -> None:
        """Refuse a power of 0 whose exponent varies.

        Raises:
            SpecError: its slope would be that of log 0.
        """
        varying = {e.tensor for e in exponent.body.atoms(Entry)} & self.builder.tensors.keys()
        if base.body == 0 and varying:
            raise SpecError("a power of 0 has no slope", at=at, remedy="expected a base other than 0")

    def _named(self, value: Value, scope: Scope) -> Value:
        """The value as a temporary, so that it is computed once, unless it is an entry or a number."""
        if value.is_atomic or isinstance(value.body, Entry) or not value.body.atoms(Entry):
            return value
        return self.builder.temporary(scope.owner, value)

    def _name(self, node: Name, scope: Scope) -> Value:
        if node.id in scope.bound:
            return scope.bound[node.id]
        if node.id in scope.index:
            return self._number_of(node, scope.index[node.id])
        if node.id in self.builder.tensors:
            return self.builder.tensor_value(self.builder.tensors[node.id])
        if node.id in self.sizes:
            return scalar(sp.Integer(self.sizes[node.id]))
        if node.id in self.builder.free_sizes:
            return scalar(self.builder.free_sizes[node.id])
        tensors, hidden = self.builder.tensors.items(), ("temporary", "carried")
        named = [n for n, t in tensors if t.kind not in hidden and n not in self.builder.unwritten]
        known = (*scope.bound, *named, *self.sizes, *self.builder.free_sizes)
        raise unknown_name(node, known, self.functions)

    def _number_of(self, node: Name, index: sp.Symbol) -> Value:
        """An index as a number, from 0."""
        axis = self.builder.axis_of[index]
        if node.id in self.builder.tensors or node.id in self.sizes or node.id in self.builder.free_sizes:
            what = "tensor" if node.id in self.builder.tensors else "size"
            problem = f"'{node.id}' may be the index or the {what} of that name"
            raise SpecError(problem, at=node.at, remedy="use another index name")
        if axis.name == self.builder.rows != "":
            raise SpecError(
                f"the index '{node.id}' is no number to compute with: it runs over the rows '{axis}'",
                at=node.at,
                remedy=f"what holds for a row does not depend on its place; else give a size: "
                f"axes: {{{axis}: 10}}",
            )
        return scalar(index)

    def _entry(self, node: Index, scope: Scope) -> Value:
        if any(isinstance(part, Slice) for part in node.indices):
            whole = self._name(Name(node.tensor, node.at), scope)

            def place(part: Node, axis: Axis) -> sp.Expr:
                return index_place(part, node.tensor, axis, scope.index, self.builder)

            return sliced(node, whole, place, self.builder, self.sizes)
        if node.tensor in scope.bound:
            raise SpecError(
                f"the argument '{node.tensor}' cannot be indexed",
                at=node.at,
                remedy="write the function without indices: sum(x, axis=-1)",
            )
        if node.tensor not in self.builder.tensors:
            self._name(Name(node.tensor, node.at), scope)
            raise SpecError(f"'{node.tensor}' is a size", at=node.at, remedy=f"write {node.tensor} alone")
        return scalar(entry_of(node, scope.index, self.builder))

    # Calls ----------------------------------------------------------------------------------

    def _call(self, call: Call, scope: Scope) -> Value:
        name = call.function
        if name in EXTREMA and len(call.arguments) == 2 and not self._names_index(call, scope):
            return self._combine(self.extrema[name], name, call.at, scope, *arguments_of(call, 2))
        if name in REDUCTIONS:
            return self._reduction(call, scope)
        if name == "where":
            condition, chosen, other = arguments_of(call, 3)
            if not isinstance(condition, Compare):
                remedy = "write where(x > 0, a, b)"
                raise SpecError("where needs a comparison first", at=condition.at, remedy=remedy)
            choose = chosen_by(condition.operator)
            return self._combine(choose, name, call.at, scope, condition.left, condition.right, chosen, other)
        if name in PLACEMENTS:
            given = read_placement(call, self.sizes)
            values = [self._value(node, scope) for node in given.tensors]
            filling = None if given.filling is None else self._value(given.filling, scope)
            return placed(call, values, given.numbers, filling, scope.owner, self.builder)
        if name in REARRANGEMENTS:
            return self._rearranged(call, scope)
        if name == SIZE:
            return scalar(self.axis_measured(call, scope.bound).extent)
        if name == "onehot":
            return onehot(self._value(arguments_of(call, 1)[0], scope), self.builder)
        if name == "spread":
            repeated, like = (self._value(node, scope) for node in arguments_of(call, 2))
            return spread(repeated, like, self.builder, call.at)
        if name == STOP_GRADIENT:
            return self._combine(stop_gradient, name, call.at, scope, *arguments_of(call, 1))
        if name == UNIFORM:
            return drawn(call, scope, self.builder, lambda node: self._value(node, scope))
        if name == ALONG:
            return self.derivatives.along(call, scope.owner, lambda node: self._value(node, scope))
        if is_derivative(call, self.functions):
            return self.derivatives(call, scope.owner, lambda node: self._value(node, scope))
        if name in SCALAR:
            return self._combine(SCALAR[name], name, call.at, scope, *arguments_of(call, 1))
        return self._function(call, self.functions[name], scope)

    def _rearranged(self, call: Call, scope: Scope) -> Value:
        def value_of(node: Node) -> Value:
            return self._value(node, scope)

        if call.function == "reshape":
            return reshaped(call, value_of, self.builder.free_sizes, self.sizes, scope.owner, self.builder)
        return Rearranging(self.builder, self.sizes, scope.owner, value_of)(call)

    def _function(self, call: Call, function: FunctionSpec, scope: Scope) -> Value:
        signature = library.Signature(function.name, function.arguments, function.defaults)
        bound = bind(call, signature).items()
        values = {name: self._named(self._value(node, scope), scope) for name, node in bound}
        if function.name in library.losses:
            check_loss(call, function, values, self.builder)
        with located_at(call, function):
            return self._value(self._sized(function.formula, values), scope.inside_function(values))

    # Reductions -----------------------------------------------------------------------------

    def _names_index(self, call: Call, scope: Scope) -> bool:
        """Whether `max(X[n,k], k)` means the largest over an index, not the larger of two."""
        second = call.arguments[1]
        has_value = isinstance(second, Name) and (
            second.id in scope.bound or second.id in self.builder.tensors or second.id in self.sizes
        )
        return isinstance(second, Name) and not has_value and indexes(call, second.id)

    def _reduction(self, call: Call, scope: Scope) -> Value:
        check_keywords(call)
        if not call.arguments[1:] and not ranges_of(call):
            return over_axes(call, self._value(call.arguments[0], scope), scope.owner, self.builder)
        names = index_names(call, tuple(scope.index))
        for name in names:
            if name in scope.bound or name in self.builder.tensors or name in self.sizes:
                raise SpecError(
                    f"{call.function} reduces over indices, '{name}' is a name with a value",
                    at=place_of(call, name),
                    remedy=f"use another index name, or write {call.function}(x, axis=-1)",
                )
        known = {name: self.builder.axis_of[symbol] for name, symbol in scope.index.items()}
        known |= declared_axes(ranges_in(call), self.axis_of_size)
        axes = index_axes(call, self.builder.tensors, known, self.builder.rows)
        formula, parts = split_indices(call.arguments[0], {n: axes[n] for n in names}, self.sizes)
        index = self._indices(names, axes, parts)
        value = self._value(formula, scope.with_indices(index))
        if value.axes:
            raise ShapeError(
                f"{call.function} over an index needs one number, this is {show_axes(value.axes)}",
                at=call.arguments[0].at,
                remedy="index every tensor: X[n,d]",
            )
        return reduced(call, value, tuple(index.values()), scope.owner, self.builder, keepdims=False)


def _form_of(parts: Sequence[IndexPart], index: Mapping[str, sp.Symbol]) -> sp.Expr:
    return leading(sp.Add(*(part.stride * index[part.name] for part in parts)))
