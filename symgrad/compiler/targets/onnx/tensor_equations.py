"""A tensor equation as ONNX operators: entries laid along its loops, a formula over them, a reduction.

Inside an equation every value has one axis for each loop, of length 1 where it does not depend on it.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import (
    Entry,
    delta,
    extent_symbol,
    index_symbol,
    indices_as_numbers,
    indices_in,
    leading,
)
from symgrad.compiler.kernels.instructions import Variable
from symgrad.compiler.kernels.lowering import Lowering
from symgrad.compiler.targets.onnx.expressions import Expressions
from symgrad.spec.reductions import EXTREMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.calculus.axes import Axes, Axis
    from symgrad.calculus.program import Equation, Loop, Program
    from symgrad.compiler.kernels.instructions import Expression
    from symgrad.compiler.targets.onnx.operators import Operators

_REDUCTIONS = {"sum": "ReduceSum", "max": "ReduceMax", "min": "ReduceMin", "logsumexp": "ReduceLogSumExp"}
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Equations:
    """Writes the equations of a program into a graph; `results` are the names of its tensors there."""

    def __init__(self, program: Program, ops: Operators, results: dict[str, str]) -> None:
        self.program, self.ops, self.results = program, ops, results
        inputs = [tensor for tensor in program.of_kind("input") if tensor.name in results]
        self._sized = [(axis, t.name, k) for t in inputs for k, axis in enumerate(t.axes) if axis.is_free]

    def add(self, equation: Equation) -> None:
        """The next equation."""
        self.ops.stem = equation.target
        if equation.scatters:
            self.results[equation.target] = _Along(self, equation).scattered()
        else:
            self.results[equation.target] = self._product(equation) or _Along(self, equation).result()

    def size(self, axis: Axis) -> str:
        """The length of an axis, a vector of one number."""
        if axis.size is not None:
            return self.ops.integers(axis.size)
        name, place = next((name, k) for free, name, k in self._sized if free.name == axis.name)
        shape = self.ops.of("Shape", self.results[name])
        return self.ops.of("Gather", shape, self.ops.integers(place))

    def _product(self, equation: Equation) -> str | None:
        """A sum of products of whole tensors is a product of matrices, or in Einstein's notation."""
        factors = sp.Mul.make_args(equation.body)
        tensors = [f for f in factors if isinstance(f, Entry)]
        scale = sp.Mul(*(f for f in factors if not isinstance(f, Entry)))
        bound = {loop.index for loop in equation.bound}
        if equation.reduction != "sum" or len(tensors) < 2 or not scale.is_number:
            return None
        used = {index for entry in tensors for index in entry.indices}
        if not all(map(_is_whole, tensors)) or not {*equation.indices, *bound} <= used:
            return None
        product = self._matrices(equation, tensors) or self._einsum(equation, tensors)
        return product if scale == 1 else self.ops.of("Mul", product, self.ops.number(float(scale)))

    def _matrices(self, equation: Equation, tensors: Sequence[Entry]) -> str | None:
        """`X·W`, where a row of matrices and one matrix, or two, have one axis to sum over."""
        if len(tensors) != 2 or len(equation.bound) != 1 or len(equation.indices) < 2:
            return None
        (inner,) = (loop.index for loop in equation.bound)
        *batch, row, column = equation.indices
        for left, right in (tensors, tensors[::-1]):
            if set(left.indices) != {*batch, row, inner}:
                continue
            if set(right.indices) in ({*batch, inner, column}, {inner, column}):
                stack = batch if len(right.indices) > 2 else []
                return self.ops.of(
                    "MatMul",
                    self.turned(left, (*batch, row, inner)),
                    self.turned(right, (*stack, inner, column)),
                )
        return None

    def turned(self, entry: Entry, order: Sequence[sp.Expr]) -> str:
        """A whole tensor with its axes in the order of these indices."""
        permutation = [entry.indices.index(index) for index in order]
        tensor = self.results[entry.tensor]
        if permutation == sorted(permutation):
            return tensor
        return self.ops.of("Transpose", tensor, perm=permutation)

    def _einsum(self, equation: Equation, tensors: Sequence[Entry]) -> str:
        letters = dict(zip((loop.index for loop in equation.loops), _LETTERS, strict=False))
        terms = ",".join("".join(letters[i] for i in entry.indices) for entry in tensors)
        result = "".join(letters[i] for i in equation.indices)
        return self.ops.of(
            "Einsum", *(self.results[e.tensor] for e in tensors), equation=f"{terms}->{result}"
        )


def _is_whole(entry: Entry) -> bool:
    """Whether each axis has an index of its own."""
    symbols = [i for i in entry.indices if isinstance(i, sp.Symbol)]
    return len(symbols) == len(entry.indices) == len(set(symbols))


class _Along:
    """An equation whose values lie along its loops, those over the target's axes first."""

    def __init__(self, equations: Equations, equation: Equation) -> None:
        self.equations, self.ops, self.equation = equations, equations.ops, equation
        self.loops = equation.loops if equation.scatters else (*equation.free, *equation.bound)
        axes = {axis for tensor in equations.program.tensors for axis in tensor.axes if axis.is_free}
        self._free = {extent_symbol(axis.name): axis for axis in axes}

    def result(self) -> str:
        """The target, with its own axes."""
        equation, value = self.equation, self._value()
        if not equation.bound:
            return value
        first = len(equation.free)
        axes = self.ops.integers(*range(first, len(self.loops)))
        total = self.ops.of(_REDUCTIONS[equation.reduction], value, axes, keepdims=0)
        if equation.reduction not in EXTREMA:
            return total
        # A runtime's own ReduceMax may hide what is no number.
        undefined = self.ops.of("Where", self.ops.of("IsNaN", value), value, self.ops.number(0))
        return self.ops.of("Add", total, self.ops.of("ReduceSum", undefined, axes, keepdims=0))

    def scattered(self) -> str:
        """The target, 0 but for what is added at places made of the indices."""
        value, axes = self._value(), self.equations.program.tensor[self.equation.target].axes
        around = self._zeros_around(axes)
        if around is not None:
            return self.ops.of("Pad", value, self.ops.integers(*around))
        shape = self.ops.of("Concat", *map(self.equations.size, axes), axis=0)
        zeros = self.ops.of("Expand", self.ops.number(0), shape)
        return self.ops.of("ScatterND", zeros, self._table(self.equation.indices), value, reduction="add")

    def _zeros_around(self, axes: Axes) -> tuple[int, ...] | None:
        """How many zeros stand before the values along each axis, then behind; None where values do."""
        if len(axes) != len(self.loops):
            return None
        begins, ends = [], []
        for index, loop, axis in zip(self.equation.indices, self.loops, axes, strict=True):
            before, room = index.replace(leading, lambda inner: inner) - loop.index, 0
            if axis.size is not None and loop.axis.size is not None:
                room = axis.size - loop.axis.size
            elif not loop.axis.fits(axis):
                return None
            if not before.is_Integer or not 0 <= before <= room:
                return None
            begins.append(int(before))
            ends.append(room - int(before))
        return (*begins, *ends)

    def _value(self) -> str:
        """The body along all loops."""
        body = self.equation.body
        value = Expressions(self.ops).value(self._lowered(body))
        if all(loop.index in indices_in(body) for loop in self.loops):
            return value
        return self.ops.of("Expand", value, self._shape(self.loops))

    def _lowered(self, body: sp.Expr) -> Expression:
        """The formula over results in the graph: entries, sizes, and indices compared with labels."""
        sizes = {
            symbol: self.ops.of("Cast", self._length(self._free[symbol]), to=self.ops.element)
            for symbol in body.free_symbols & self._free.keys()
        }
        numbers = {
            symbol: self.ops.of("Cast", self._index(symbol), to=self.ops.element)
            for symbol in indices_as_numbers(body)
        }
        deltas = body.atoms(delta)
        compared = {a for found in deltas for a in found.args if isinstance(a, sp.Symbol)}
        apart = {symbol: index_symbol(f"{symbol}/place") for symbol in compared}
        places = {apart[symbol]: self._index(symbol) for symbol in compared}
        known = {symbol: Variable(name) for symbol, name in (sizes | numbers | places).items()}
        body = body.xreplace({found: delta(*(apart.get(a, a) for a in found.args)) for found in deltas})
        return Lowering(lambda entry: Variable(self._entry(entry)), known)(body)

    def _entry(self, entry: Entry) -> str:
        if not _is_whole(entry) or any(not self._runs_over(entry, k) for k in range(len(entry.indices))):
            return self._looked_up(entry)
        order = [loop.index for loop in self.loops if loop.index in entry.indices]
        return self._spread(self.equations.turned(entry, order), order)

    def _runs_over(self, entry: Entry, place: int) -> bool:
        """Whether the index there runs over the whole axis."""
        axis = self.equations.program.tensor[entry.tensor].axes[place]
        return any(loop.index == entry.indices[place] and loop.axis.fits(axis) for loop in self.loops)

    def _spread(self, value: str, order: Sequence[sp.Expr]) -> str:
        """A value with an axis for each of these indices, in the order of the loops, along all of them."""
        missing = [place for place, loop in enumerate(self.loops) if loop.index not in order]
        return self.ops.of("Unsqueeze", value, self.ops.integers(*missing)) if missing else value

    def _looked_up(self, entry: Entry) -> str:
        """Entries by numbers: shifted, scaled, fixed, or labels."""
        return self.ops.of("GatherND", self.equations.results[entry.tensor], self._table(entry.indices))

    def _table(self, indices: Sequence[sp.Expr]) -> str:
        """Places in a tensor, one row of whole numbers for each value of the loops."""
        shape = self._shape(self.loops)
        places = [self.ops.of("Expand", self._index(index), shape) for index in indices]
        last = self.ops.integers(len(self.loops))
        return self.ops.of("Concat", *(self.ops.of("Unsqueeze", p, last) for p in places), axis=-1)

    def _index(self, index: sp.Expr) -> str:
        """An index as whole numbers along the loops."""
        if isinstance(index, Entry):
            return self._entry(index)
        if isinstance(index, leading):
            return self._index(index.args[0])
        if index.is_Integer:
            return self.ops.integer(int(index))
        if isinstance(index, sp.Add | sp.Mul):
            operator = "Add" if isinstance(index, sp.Add) else "Mul"
            return reduce(lambda a, b: self.ops.of(operator, a, b), map(self._index, index.args))
        loop = next((loop for loop in self.loops if loop.index == index), None)
        if loop is None:
            return self._length(self._free[index])
        length = self._length(loop.axis)
        numbers = self.ops.of("Range", self.ops.integer(0), length, self.ops.integer(1))
        return self._spread(numbers, [index])

    def _length(self, axis: Axis) -> str:
        """The length of an axis, a number."""
        return self.ops.of("Squeeze", self.equations.size(axis), self.ops.integers(0))

    def _shape(self, loops: Sequence[Loop]) -> str:
        """How long the loops are, as a vector."""
        if not loops:
            return self.ops.integers()
        return self.ops.of("Concat", *(self.equations.size(loop.axis) for loop in loops), axis=0)
