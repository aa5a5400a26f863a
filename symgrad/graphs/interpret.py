"""The numbers a program computes: its equations over NumPy arrays, in double precision."""

from __future__ import annotations

import math
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import sympy as sp
from scipy import special

from symgrad.calculus.real import within
from symgrad.calculus.terms import (
    ARGUMENT,
    Entry,
    Infinite,
    Named,
    delta,
    divided,
    drawn,
    leading,
    logcosh,
    multiplied,
    shifted,
    sigmoid,
    softplus,
    stop_gradient,
)
from symgrad.errors import DataError, InternalError
from symgrad.passes.recurrences import Recurrence, in_order
from symgrad.spec.scalars import INNER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from symgrad.calculus.program import Equation, Loop, Program

Numbers: TypeAlias = "NDArray[Any]"

MAX_TERMS = 20_000_000
"""How many terms one equation may have: each is held in memory."""

_EXACT = 2**53

_FUNCTIONS: Mapping[Any, Callable[..., Numbers]] = {
    sigmoid: special.expit,
    softplus: lambda x: np.logaddexp(0.0, x),
    logcosh: lambda x: np.logaddexp(x, -x) - math.log(2),
    shifted: np.subtract,
    divided: np.divide,
    multiplied: np.multiply,
    stop_gradient: np.asarray,
    leading: np.asarray,
    within: lambda value, end: np.where(end >= 0, value, np.nan),
    delta: lambda a, b: np.equal(a, b).astype(np.float64),
    sp.Max: lambda *numbers: reduce(np.maximum, numbers),
    sp.Min: lambda *numbers: reduce(np.minimum, numbers),
    sp.StrictLessThan: np.less,
    sp.LessThan: np.less_equal,
    sp.StrictGreaterThan: np.greater,
    sp.GreaterThan: np.greater_equal,
    sp.Equality: np.equal,
    sp.Unequality: np.not_equal,
    sp.And: lambda *c: reduce(np.logical_and, c),
    sp.Or: lambda *c: reduce(np.logical_or, c),
    sp.Not: np.logical_not,
}

_REDUCTIONS: Mapping[str, Callable[[Numbers, tuple[int, ...]], Numbers]] = {
    "sum": lambda terms, over: terms.sum(axis=over),
    "max": lambda terms, over: terms.max(axis=over),
    "min": lambda terms, over: terms.min(axis=over),
    "norm": lambda terms, over: np.sqrt(np.square(terms).sum(axis=over)),
    "logsumexp": lambda terms, over: np.asarray(special.logsumexp(terms, axis=over)),
}


def interpret(program: Program, given: Mapping[str, Numbers], sizes: Mapping[str, int]) -> dict[str, Numbers]:
    """Every tensor of a program whose inputs, targets and parameters are given; `sizes` are of free axes.

    What is not a number or too large for double precision becomes NaN or infinite, as in NumPy.

    Raises:
        DataError: an equation has more than MAX_TERMS terms.
    """
    calculator = _Calculator(program, program.all_sizes(sizes), dict(given))
    with np.errstate(all="ignore"):
        for part in in_order(program, program.equations):
            if isinstance(part, Recurrence):
                calculator.go_on(part)
            else:
                calculator.define(part)
    return calculator.arrays


class _Calculator:
    def __init__(self, program: Program, sizes: Mapping[str, int], arrays: dict[str, Numbers]) -> None:
        self.program, self.sizes, self.arrays = program, sizes, arrays

    def define(self, equation: Equation) -> None:
        loops = equation.loops if equation.scatters else (*equation.free, *equation.bound)
        shape = tuple(self._size(loop.axis.extent) for loop in loops)
        if math.prod(shape) > MAX_TERMS:
            raise DataError(
                f"'{equation.target}' is computed from {math.prod(shape):,} terms, more than {MAX_TERMS:,}",
                remedy="give fewer rows",
            )
        index = {
            loop.index: np.arange(size).reshape([-1 if n == place else 1 for n in range(len(shape))])
            for place, (loop, size) in enumerate(zip(loops, shape, strict=True))
        }
        terms = np.broadcast_to(self._number(equation.body, index), shape)
        for loop in (loop for loop in loops if loop.axis.within is not None):
            terms = np.where(self._is_step(loop, loops, index), terms, 0)
        self.arrays[equation.target] = self._reduced(equation, terms, index)

    def _is_step(
        self, loop: Loop, loops: Sequence[Loop], index: Mapping[sp.Basic, Numbers]
    ) -> NDArray[np.bool]:
        """Which steps of parts there are: the last part may have fewer."""
        part = next(index[other.index] for other in loops if other.axis.of_parts)
        count = self._size(loop.axis.within.extent) if loop.axis.within else 0
        return np.asarray(part * self._size(loop.axis.extent) + index[loop.index] < count)

    def go_on(self, recurrence: Recurrence) -> None:
        """Define what a recurrence makes. Each time all of it is computed, one step more of it is right."""
        inner = [part.axis.extent for part in recurrence.inside if isinstance(part, Recurrence)]
        count = self._size(recurrence.axis.extent) * (1 + sum(map(self._size, inner)))
        for name in recurrence.all_carried:
            shape = [self._size(axis.extent) for axis in self.program.tensor[name].axes]
            self.arrays[name] = np.zeros(shape)
        for _ in range(count + 1):
            for name in recurrence.all_carried:
                self._carry(name)
            for equation in recurrence.equations:
                self.define(equation)

    def _carry(self, name: str) -> None:
        """Let a tensor be its source one step before, and at the first step its start."""
        carried, array = self.program.carried[name], self.arrays[name].copy()
        steps = np.moveaxis(array, carried.along, 0)
        if carried.source in self.arrays:
            source = np.moveaxis(self.arrays[carried.source], carried.along, 0)
            if carried.back:
                steps[:-1] = source[1:]
            else:
                steps[1:] = source[:-1]
        start = self.arrays[carried.start] if carried.start else np.zeros(steps.shape[1:])
        steps[-1 if carried.back else 0] = start
        axis = self.program.tensor[name].axes[carried.along]
        if carried.back and axis.within is not None:  # the last part may end before its last step
            last = (self._size(axis.within.extent) - 1) % len(steps)
            steps[last, -1] = start[-1]
        self.arrays[name] = array

    def _reduced(self, equation: Equation, terms: Numbers, index: Mapping[sp.Basic, Numbers]) -> Numbers:
        if equation.scatters:
            axes = self.program.tensor[equation.target].axes
            shape = [self._size(axis.extent) for axis in axes]
            total = self.arrays[equation.onto].copy() if equation.onto else np.zeros(shape)
            place = self._place(equation.indices, total.shape, index)
            np.add.at(total, tuple(np.broadcast_to(p, terms.shape) for p in place), terms)
            return total
        over = tuple(range(len(equation.free), terms.ndim))
        if equation.reduction == "none":
            return np.array(terms, dtype=np.float64)
        return np.asarray(_REDUCTIONS[equation.reduction](terms, over), dtype=np.float64)

    def _size(self, extent: sp.Expr) -> int:
        return int(extent) if extent.is_Integer else self.sizes[extent.name]

    def _number(self, expr: sp.Basic, index: Mapping[sp.Basic, Numbers]) -> Numbers:
        """The value of an expression for every value of the indices at once."""
        if isinstance(expr, sp.Integer) and abs(expr) < _EXACT:
            return np.asarray(int(expr))
        if expr.is_number:
            return np.asarray(float(expr))
        if isinstance(expr, Infinite):
            return np.asarray(math.inf)
        if isinstance(expr, sp.Symbol):
            return index[expr] if expr in index else np.asarray(self.sizes[expr.name])
        if isinstance(expr, Entry):
            array = self.arrays[expr.tensor]
            return np.asarray(array[self._place(expr.indices, array.shape, index)])
        if isinstance(expr, sp.Piecewise):
            return self._choice(expr, index)
        values = [self._number(argument, index) for argument in expr.args]
        if isinstance(expr, drawn):
            return _drawn(*values)
        if isinstance(expr, sp.Add):
            return reduce(np.add, values)
        if isinstance(expr, sp.Mul):
            return reduce(np.multiply, values)
        if isinstance(expr, sp.Pow):
            return _power(*values)
        if type(expr) in _FUNCTIONS:
            return np.asarray(_FUNCTIONS[type(expr)](*values))
        row = INNER.get(type(expr).__name__)
        function = None if row is None else row.of(np, row.numpy) if row.numpy else row.of(special)
        if function is not None:
            return np.asarray(function(values[0]))
        if isinstance(expr, Named):
            return self._number(expr.formula(ARGUMENT), {ARGUMENT: values[0]})
        raise InternalError(f"no arithmetic for {type(expr).__name__} in {expr}")

    def _place(
        self, indices: Sequence[sp.Expr], shape: Sequence[int], index: Mapping[sp.Basic, Numbers]
    ) -> tuple[Numbers, ...]:
        """Indices as arrays; a label that stands for none, and whose term is 0, may point anywhere."""
        pairs = zip(indices, shape, strict=True)
        return tuple(np.clip(self._number(i, index).astype(np.intp), 0, size - 1) for i, size in pairs)

    def _choice(self, expr: sp.Basic, index: Mapping[sp.Basic, Numbers]) -> Numbers:
        *cases, last = expr.args
        value = self._number(last[0], index)
        for chosen, condition in reversed(cases):
            value = np.where(self._number(condition, index), self._number(chosen, index), value)
        return value


def _drawn(stream: Numbers, *places: Numbers) -> Numbers:
    """The numbers that a module draws without a seed, before the first step."""
    from symgrad.runtime.optional.drawing.drawn_numbers import _philox  # and Numba with it

    whole = np.broadcast_arrays(*places)
    flat = np.ravel_multi_index(whole, whole[0].shape)
    words: tuple[Numbers, ...] = _philox.py_func(flat // 4, 0, stream, 0)
    return np.asarray((np.choose(flat % 4, words) >> 9 << 1 | 1) / 2.0**24)


def _power(base: Numbers, exponent: Numbers) -> Numbers:
    if exponent.ndim == 0 and exponent == 0.5:
        return np.asarray(np.sqrt(base))
    return np.asarray(np.power(base.astype(np.float64), exponent))
