"""The meaning of every construct of a formula, in a chosen arithmetic."""

from __future__ import annotations

import math
import operator
from dataclasses import replace
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import ShapeError, SpecError
from symgrad.spec import library
from symgrad.spec.expansion.calls import bind
from symgrad.spec.expansion.steps.streams import STREAM
from symgrad.spec.language.arrays.placements import PLACEMENTS, read_placement
from symgrad.spec.language.arrays.rearrangements import REARRANGEMENTS
from symgrad.spec.language.builtins import ALONG, LIKE, STOP_GRADIENT, UNIFORM, is_derivative
from symgrad.spec.language.declared_ranges import axis_size, range_size, ranges_in, ranges_of
from symgrad.spec.language.definitions import definition
from symgrad.spec.language.sizes.whole_numbers import with_sizes
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
    Transpose,
)
from symgrad.spec.language.trees import substitute, with_whole_axes
from symgrad.spec.reads import asks_for_derivative, read_by, read_inside
from symgrad.spec.reductions import EXTREMA, REDUCTIONS, ReductionRow
from symgrad.verifier.interpretation.arithmetic import Arithmetic, product
from symgrad.verifier.interpretation.array_reductions import COMPARE, reducer, side
from symgrad.verifier.interpretation.formula_scope import OUTERMOST, ValueScope, reduced_axes
from symgrad.verifier.interpretation.index_extents import index_sizes, indices_used
from symgrad.verifier.interpretation.index_products import contract, factors_of
from symgrad.verifier.interpretation.philox_numbers import BITS, INFERENCE, odd_numbers
from symgrad.verifier.interpretation.placed_arrays import placed
from symgrad.verifier.interpretation.rearranged_arrays import RearrangedArrays, sliced
from symgrad.verifier.interpretation.tensors import (
    TensorValue,
    combine,
    matmul,
    onehot,
    reduce_axes,
    reduce_leading,
    spread,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from symgrad.spec.language.declared_ranges import Range
    from symgrad.spec.model import EachStep, EquationSpec, FunctionSpec
    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.interpretation.slopes.dual_numbers import Duals

_DEAR = 8
"""A call of exp counts as this many multiplications."""


class Formulas:
    """Evaluates formulas over `tensors`; notes branches taken and work done on the way."""

    def __init__(
        self,
        functions: Iterable[FunctionSpec],
        sizes: Mapping[str, int],
        named: Mapping[str, int],
        arithmetic: Arithmetic,
    ) -> None:
        self.functions = {function.name: function for function in functions}
        self.sizes, self.named = sizes, named
        self.arithmetic = arithmetic
        self.tensors: dict[str, TensorValue] = {}
        self.labels: dict[str, Array] = {}
        self.shifts: Mapping[str, Array] = {}
        self.defined: list[EquationSpec] = []
        self.stopped: list[Array] = []
        self.held: Iterator[Array] | None = None
        self.branches: list[bytes] = []
        self.work = 0
        self.hides = False
        self.key = INFERENCE

    def define(self, equation: EquationSpec) -> None:
        """Evaluate an equation, which those below it may read then."""
        self.give(equation.name, self.equation(equation).array)
        self.defined.append(equation)

    def give(self, name: str, array: Array, classes: int | None = None, ignore: int | None = None) -> None:
        """Let a name stand for an array, and what shifts it."""
        if name in self.shifts:
            array = self.arithmetic.array(operator.add(array, self.arithmetic.array(self.shifts[name])))
        self.tensors[name] = TensorValue(array, array.ndim, classes, ignore)

    def varied(self, name: str, duals: Duals, directions: Array) -> Formulas:
        """The same tensors in dual numbers, as one of them varies along directions.

        Where that one is computed again, as another varies too, it is shifted along with it.
        """
        inner = Formulas(self.functions.values(), self.sizes, self.named, duals.arithmetic)
        shift = self.shifts.get(name, np.zeros(self.tensors[name].array.shape))
        shifted = duals.varied(self.arithmetic.array(shift), directions)
        inner.labels, inner.shifts = self.labels, {**self.shifts, name: shifted}
        inner.stopped, inner.held, inner.key = self.stopped, self.held, self.key
        inner.tensors = {n: replace(v, array=duals.of(v.array)) for n, v in self.tensors.items()}
        given = self.tensors[name]
        inner.tensors[name] = replace(given, array=duals.varied(given.array, directions))
        inside, reached = read_inside(self.functions.values()), {name}
        for equation in self.defined:
            if equation.name != name and read_by(equation.formula, inside) & reached:
                inner.define(equation)
                reached.add(equation.name)
            else:
                inner.defined.append(equation)
        return inner

    def sizes_on_the_left(
        self, equation: EquationSpec, others: Mapping[str, tuple[int, ...]]
    ) -> dict[str, int]:
        """The sizes of the indices on the left of an equation, where it reads `others` of these shapes too.

        Raises:
            ShapeError: they are not known.
        """
        formula, shapes = self.sized(equation.formula, others), {**self._shapes(), **others}
        given = self._given_ranges((*equation.ranges, *ranges_in(formula)))
        return index_sizes(formula, equation.indices or (), shapes, given, self.sizes)

    def equation(self, equation: EquationSpec, known: Mapping[str, int] | None = None) -> TensorValue:
        """The tensor an equation defines; `known` are sizes of its indices."""
        if equation.each is not None:
            return self._each_step(equation, equation.each)
        if equation.indices is None:
            return self.formula(equation.formula)
        formula = self._sized(equation.formula)
        given = {**self._given_ranges((*equation.ranges, *ranges_in(formula))), **(known or {})}
        sizes = index_sizes(formula, equation.indices, self._shapes(), given, self.sizes)
        scope = OUTERMOST.with_indices(equation.indices, sizes)
        entry = self.value(formula, scope)
        if entry.rank:
            problem = f"each entry of '{equation.name}' must be one number"
            raise ShapeError(problem, at=equation.at, remedy="index every tensor: X[n,d]")
        shape = tuple(sizes[name] for name in equation.indices)
        return TensorValue(self.arithmetic.library.broadcast_to(entry.array, shape), len(shape))

    def _each_step(self, equation: EquationSpec, each: EachStep) -> TensorValue:
        """The steps of an equation whose formula gives all of each."""
        count = self.number_of_steps(equation, each, {})
        scope = OUTERMOST.with_indices((each.index,), {each.index: count})
        value = self.value(self.of_one_step(self._sized(equation.formula)), scope)
        library = self.arithmetic.library
        steps = library.broadcast_to(value.array, (count, *value.array.shape[1:]))
        order = (*range(1, each.along + 1), 0, *range(each.along + 1, steps.ndim))
        return TensorValue(library.permute(steps, order), value.rank + 1)

    def number_of_steps(
        self, equation: EquationSpec, each: EachStep, others: Mapping[str, tuple[int, ...]]
    ) -> int:
        """How many steps an equation goes through that gives all of each, where it reads `others` too.

        Raises:
            ShapeError: it is not known.
        """
        formula, shapes = self.sized(equation.formula, others), {**self._shapes(), **others}
        size = each.sizes[each.along]
        given = self._given_ranges(() if size is None else ((each.index, size),))
        return index_sizes(formula, (each.index,), shapes, given, self.sizes)[each.index]

    def said_sizes(self, each: EachStep) -> tuple[int, ...]:
        """The sizes of one step, if the left side says all of them."""
        others = [size for number, size in enumerate(each.sizes) if number != each.along]
        return () if None in others else tuple(self.axis_size(size) for size in others if size is not None)

    def of_one_step(self, formula: Node) -> Node:
        """The formula where what is not mentioned of the axes behind steps is taken whole."""

        def rank_of(name: str) -> int | None:
            return self.tensors[name].rank if name in self.tensors else None

        return with_whole_axes(formula, rank_of)

    def _given_ranges(self, ranges: Iterable[Range]) -> dict[str, int]:
        return {name: range_size(name, self._sized(size), self.sizes) for name, size in ranges}

    def formula(self, formula: Node) -> TensorValue:
        """The value of a whole formula.

        Raises:
            SpecError: a name or a construct that has no value.
        """
        return self.value(self._sized(formula))

    def axis_size(self, formula: Node) -> int:
        """The size of an axis that a formula of whole numbers gives.

        Raises:
            SpecError: it is none.
        """
        return axis_size(self._sized(formula), "an axis", self.sizes)

    def sized(self, formula: Node, shapes: Mapping[str, tuple[int, ...]]) -> Node:
        """The formula with sizes of tensors that have these shapes as numbers."""
        return self._sized(with_sizes(formula, shapes.get))

    def _sized(self, formula: Node, scope: ValueScope = OUTERMOST) -> Node:
        """The formula with the sizes of tensors as numbers."""

        def shape_of(name: str) -> tuple[int, ...] | None:
            value = scope.bound.get(name) or self.tensors.get(name)
            return None if value is None else tuple(value.array.shape[value.depth :])

        return with_sizes(formula, shape_of)

    def value(self, node: Node, scope: ValueScope = OUTERMOST) -> TensorValue:
        """The value of a formula in a scope.

        Raises:
            SpecError: a name or a construct that has no value.
        """
        match node:
            case Number(number):
                return self._constant(self.arithmetic.number(number))
            case Infinity():
                self.hides = True
                return self._constant(self.arithmetic.infinity)
            case Name():
                return self._name(node, scope)
            case Negate(operand):
                return self._entrywise(operator.neg, scope, operand)
            case Binary("@", left, right):
                sides = self.value(left, scope), self.value(right, scope)
                product, work = matmul(*sides, scope.depth, node.at, self.arithmetic.library)
                self.work += work
                return self._typed(product)
            case Binary("//" | "%"):
                places = self.place(node, scope)
                return self._constant(places.astype(float).reshape(places.shape or (1,) * scope.depth))
            case Binary(symbol, left, right):
                return self._entrywise(self._arithmetic_operator(symbol), scope, left, right)
            case Transpose(operand):
                value = self.value(operand, scope)
                axes = (*range(value.depth), *reversed(range(value.depth, value.array.ndim)))
                return replace(value, array=self.arithmetic.library.permute(value.array, axes))
            case Index():
                return self._entry(node, scope)
            case Call():
                return self._call(node, scope)
        raise SpecError("this has no value here", at=node.at)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(value.array.shape) for name, value in self.tensors.items()}

    def _constant(self, number: object) -> TensorValue:
        return TensorValue(self.arithmetic.array(number), 0)

    def _typed(self, value: TensorValue) -> TensorValue:
        # NumPy hands back bare numbers, not arrays, for 0-dimensional operands.
        array = self.arithmetic.array(value.array)
        return value if array is value.array else replace(value, array=array)

    def _arithmetic_operator(self, symbol: str) -> Callable[[Array, Array], Array]:
        known: dict[str, Callable[[Array, Array], Array]] = {
            "+": operator.add,
            "-": operator.sub,
            "*": product,
            "/": self._share if self.hides else self.arithmetic.divide,
            "//": operator.floordiv,
            "%": operator.mod,
            "**": self.arithmetic.power,
        }
        return known[symbol]

    def _share(self, part: Array, whole: Array) -> Array:
        """A quotient where entries may be hidden: nothing has no share of nothing."""
        where, one = self.arithmetic.library.where, self.arithmetic.array(1.0)
        return self.arithmetic.divide(part, where((part == 0) & (whole == 0), one, whole))

    def _entrywise(self, function: Callable[..., Array], scope: ValueScope, *operands: Node) -> TensorValue:
        values = [self.value(node, scope) for node in operands]
        result = self._typed(combine(function, values, scope.depth, operands[0].at))
        self.work += math.prod(result.array.shape)
        return result

    def _name(self, node: Name, scope: ValueScope) -> TensorValue:
        value = scope.bound.get(node.id) or self.tensors.get(node.id)
        if value is not None:
            if value.depth == scope.depth:
                return value
            return replace(value, array=value.padded(scope.depth, value.rank))
        if node.id in self.sizes:
            return self._constant(self.arithmetic.array(float(self.sizes[node.id])))
        if node.id in scope.indices:
            return self._constant(scope.places(node.id).astype(float))
        raise SpecError(f"unknown name '{node.id}'", at=node.at)

    def _entry(self, node: Index, scope: ValueScope) -> TensorValue:
        tensor = scope.bound.get(node.tensor) or self.tensors.get(node.tensor)
        if tensor is not None and any(isinstance(part, Slice) for part in node.indices):

            def places(part: Node) -> Array:
                return self.place(part, scope)

            return sliced(node, tensor, places, scope.depth, self.sizes, self.arithmetic)
        if tensor is None or len(node.indices) != tensor.rank:
            raise SpecError(f"'{node.tensor}' cannot be indexed like this", at=node.at)
        chosen = self.arithmetic.array(self._gather(node, tensor.array, scope))
        return TensorValue(
            chosen.reshape(chosen.shape or (1,) * scope.depth), 0, tensor.classes, tensor.ignore
        )

    def _gather(self, node: Index, array: Array, scope: ValueScope) -> Any:
        places = tuple(self.place(index, scope) for index in node.indices)
        for place, size in zip(places, array.shape, strict=True):
            if place.size and not (place.min() >= 0 and place.max() < size):
                raise ShapeError(f"an index of '{node.tensor}' leaves its axis of {size}", at=node.at)
        return array[places]

    def place(self, node: Node, scope: ValueScope) -> Array:
        """The places that an index stands for.

        Raises:
            SpecError: it is no index.
        """
        integers = self.arithmetic.library.integers
        match node:
            case Name(name) if name in scope.indices:
                return integers(scope.places(name))
            case Name(name) if name in self.sizes:
                return integers(self.sizes[name])
            case Number(number) if number.denominator == 1:
                return integers(int(number))
            case Negate(operand):
                return integers(-self.place(operand, scope))
            case Binary(("+" | "-" | "*" | "//" | "%") as symbol, left, right):
                function = self._arithmetic_operator(symbol)
                return integers(function(self.place(left, scope), self.place(right, scope)))
            case Index(tensor) if tensor in self.labels:
                return integers(self._gather(node, self.labels[tensor], scope))
        raise SpecError("this is no index", at=node.at, remedy="write a name, a number or 2*i + u")

    def _call(self, call: Call, scope: ValueScope) -> TensorValue:
        name = call.function
        indexed = self._index_names(call, scope)
        if name in EXTREMA and len(call.arguments) == 2 and not indexed:
            return self._entrywise(partial(self._choose, name), scope, *call.arguments)
        if name in REDUCTIONS:
            return self._reduction(call, indexed, scope)
        if name == "where":
            return self._where(call, scope)
        if name in PLACEMENTS:
            given = read_placement(call, self.sizes)
            values = [self.value(node, scope) for node in given.tensors]
            filling = None if given.filling is None else self.value(given.filling, scope)
            return placed(call, values, given.numbers, filling, scope.depth, self.arithmetic)
        if name in REARRANGEMENTS:
            rearranged = RearrangedArrays(
                lambda node: self.value(node, scope), self.sizes, scope.depth, self.arithmetic
            )
            value = self._typed(rearranged(call))
            self.work += rearranged.work
            return value
        if name == "onehot":
            return onehot(self.value(call.arguments[0], scope), self.arithmetic)
        if name == "spread":
            value, like = (self.value(node, scope) for node in call.arguments)
            return spread(value, like, scope.depth, call.at, self.arithmetic.library)
        if name == STOP_GRADIENT:
            return self._stopped(self.value(call.arguments[0], scope))
        if name == UNIFORM:
            return self._drawn(call, scope)
        if name == ALONG:
            from symgrad.verifier.interpretation.slopes.varied_models import along  # and SymPy with it

            return along(self, call, scope)
        if is_derivative(call, self.functions):
            from symgrad.verifier.interpretation.slopes.varied_models import derivative  # and SymPy with it

            return derivative(self, call, scope)
        if name in self.arithmetic.functions:
            return self._scalar_function(call, scope)
        return self._function(call, scope)

    def _index_names(self, call: Call, scope: ValueScope) -> list[str]:
        """The indices a reduction names. A size in max(x, N) is one only where it indexes something;
        one that the formula stands in is a number."""
        names = [node.id for node in call.arguments[1:] if isinstance(node, Name)]
        known = {*scope.bound, *scope.indices, *self.tensors, *self.named}
        used = indices_used(call.arguments[0]) if names else set()
        found = [n for n in names if n not in known and (n in used or n not in self.sizes)]
        return [*found, *(name for name, _ in ranges_of(call))]

    def _choose(self, name: str, a: Array, b: Array) -> Array:
        """The larger or smaller of two; what is no number is chosen, never hidden."""
        self._note(lambda: side(a, b))
        library = self.arithmetic.library
        chosen = library.where((a > b if name == "max" else a < b) | (a != a), a, b)
        return chosen if library.tied is None else library.where(a == b, library.tied(a, b), chosen)

    def _note(self, choice: Callable[[], Array]) -> None:
        if self.arithmetic.library.is_concrete:
            self.branches.append(choice().tobytes())

    def _stopped(self, value: TensorValue) -> TensorValue:
        """A value through which no slope passes: where slopes are differences, it is held as it was."""
        if self.held is None:
            array = self.arithmetic.library.stopped(value.array)
            self.stopped.append(array)
        else:
            array = next(self.held)
        return replace(value, array=self.arithmetic.array(array))

    def _drawn(self, call: Call, scope: ValueScope) -> TensorValue:
        """A number of a stream for every entry of what they are like, and for every index around it."""
        given = dict(call.keywords)
        like = self.value(given[LIKE], scope) if LIKE in given else self._constant(0)
        own = tuple(like.array.shape[like.depth :])
        sizes = [size for _, size in sorted(scope.indices.values())]
        around = [scope.places(name).reshape(-1) for name, _ in sorted(scope.indices.items(), key=_by_place)]
        grid = np.meshgrid(*around, *map(np.arange, own), indexing="ij")
        places = np.ravel_multi_index([g.astype(np.int64) for g in grid], (*sizes, *own))
        numbers = odd_numbers(places, _stream(given[STREAM], scope), self.key).astype(float)
        whole = self.arithmetic.array(2.0**BITS)
        return self._typed(
            TensorValue(self.arithmetic.divide(self.arithmetic.array(numbers), whole), len(own))
        )

    def _where(self, call: Call, scope: ValueScope) -> TensorValue:
        condition, chosen, other = call.arguments
        if not isinstance(condition, Compare):
            raise SpecError("where needs a comparison first", at=condition.at)
        compare = COMPARE[condition.operator]

        def choose(left: Array, right: Array, a: Array, b: Array) -> Array:
            holds = compare(left, right)
            self._note(lambda: np.asarray(holds, dtype=bool))
            return self.arithmetic.library.where(holds, a, b)

        return self._entrywise(choose, scope, condition.left, condition.right, chosen, other)

    def _scalar_function(self, call: Call, scope: ValueScope) -> TensorValue:
        value = self.value(call.arguments[0], scope)
        if call.function in ("abs", "sign"):
            self._note(lambda: side(value.array, self._constant(0).array))
        self.work += _DEAR * math.prod(value.array.shape)
        return self._typed(TensorValue(self.arithmetic.functions[call.function](value.array), value.rank))

    def _function(self, call: Call, scope: ValueScope) -> TensorValue:
        function = self.functions.get(call.function)
        if function is None:
            raise SpecError(f"unknown function '{call.function}'", at=call.at)
        signature = library.Signature(function.name, function.arguments, function.defaults)
        arguments = bind(call, signature)
        if asks_for_derivative(function.formula, self.functions):
            return self.value(self._sized(substitute(function.formula, arguments)), scope)
        stream = _stream(arguments.pop(STREAM), scope) if STREAM in arguments else 0
        bound = {name: self.value(node, scope) for name, node in arguments.items()}
        inside = replace(scope, bound=bound, stream=stream)
        return self.value(self._sized(function.formula, inside), inside)

    def _reduction(self, call: Call, indexed: list[str], scope: ValueScope) -> TensorValue:
        """What the row makes of each entry, its primitive of these, and the row of their total."""
        row = REDUCTIONS[call.function]
        if indexed:
            around = {name: size for name, (_, size) in scope.indices.items()}
            known = around | self._given_ranges(ranges_in(call))
            sizes = index_sizes(call.arguments[0], indexed, self._shapes(), known, self.sizes)
            lengths = [sizes[name] for name in indexed]
            inner = scope.with_indices(indexed, sizes)
            total = self._typed(self._over_indices(row, call.arguments[0], lengths, inner))
        else:
            value = self._of_each(row, self.value(call.arguments[0], scope), scope)
            keywords = dict(call.keywords)
            keepdims = keywords.get("keepdims")
            own = reduced_axes(keywords.get("axis"), value.rank)
            lengths = [value.array.shape[value.depth + axis] for axis in own]
            kept = isinstance(keepdims, Boolean) and keepdims.value
            self._count_reduction(row, value)
            total = self._typed(reduce_axes(self._reducer(row), value, own, kept))
        if row.total == "x":
            return total
        count = self._constant(self.arithmetic.array(float(math.prod(lengths))))
        return self.value(definition(row.total), replace(scope, bound={"x": total, "n": count}))

    def _of_each(self, row: ReductionRow, value: TensorValue, scope: ValueScope) -> TensorValue:
        if row.each == "x":
            return value
        return self.value(definition(row.each), replace(scope, bound={"x": value}))

    def _over_indices(
        self, row: ReductionRow, term: Node, lengths: Sequence[int], inner: ValueScope
    ) -> TensorValue:
        """A reduction over the last indices of a scope; of a product, by matrix products."""
        factors = factors_of(term) if row.kind == "sum" and row.each == "x" else [term]
        values = [self.value(factor, inner) for factor in factors]
        if len(values) > 1 and not any(value.rank for value in values):
            arrays = [value.padded(inner.depth, 0) for value in values]
            total, work = contract(arrays, lengths, self.arithmetic)
            self.work += work
            return TensorValue(total, 0)
        value = reduce(lambda a, b: combine(operator.mul, [a, b], inner.depth, term.at), values)
        value = self._of_each(row, value, inner)
        self._count_reduction(row, value)
        return reduce_leading(self._reducer(row), value, lengths, self.arithmetic.library)

    def _reducer(self, row: ReductionRow) -> Callable[[Array, tuple[int, ...]], Array]:
        return reducer(row.kind, self.arithmetic, self.branches)

    def _count_reduction(self, row: ReductionRow, value: TensorValue) -> None:
        self.work += math.prod(value.array.shape) * (_DEAR if row.kind == "logsumexp" else 1)


def _by_place(index: tuple[str, tuple[int, int]]) -> int:
    """Where an index of a scope lies among the others."""
    return index[1][0]


def _stream(node: Node, scope: ValueScope) -> int:
    """The number of a stream: one that is written, or how far it is from that of a function's first draw."""
    match node:
        case Number(number):
            return int(number)
        case Name():
            return scope.stream
        case Binary("+", left, right):
            return _stream(left, scope) + _stream(right, scope)
    raise SpecError("this is no stream", at=node.at)
