"""Dual numbers: an arithmetic over another in which every array carries its slopes along some directions.

(a + a'ε)(b + b'ε) = ab + (a'b + ab')ε, and f(a + a'ε) = f(a) + f'(a)a'ε. A dual arithmetic over a dual one
has second derivatives, one over a tape has slopes that the tape differentiates, one over a finite field or
over balls has theirs. The interpreter computes with it as with any other.
"""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.interpretation.arithmetic import Arithmetic, product
from symgrad.verifier.interpretation.array_library import ArrayLibrary
from symgrad.verifier.interpretation.slopes.carrying_arrays import CarryingArray
from symgrad.verifier.interpretation.slopes.slope_formulas import slope, slope_of_power
from symgrad.verifier.interpretation.tensors import kept_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Dual(CarryingArray):
    """An array and its slopes: along a first axis of `slope` are the directions. A constant has none."""

    __slots__ = ("slope",)
    carrier: Duals

    def __init__(self, duals: Duals, array: Any, slope: Any = None) -> None:
        super().__init__(duals, array)
        self.slope = slope

    def __neg__(self) -> Dual:
        return self.carrier.mapped(self, operator.neg, operator.neg)

    def reshape(self, *shape: Any) -> Dual:
        array = self.array.reshape(*shape)
        return self.carrier.mapped(self, lambda _: array, lambda s: s.reshape((s.shape[0], *array.shape)))

    def __getitem__(self, key: Any) -> Dual:
        keys = key if isinstance(key, tuple) else (key,)
        return self.carrier.mapped(self, lambda a: a[key], lambda s: s[(slice(None), *keys)])


class Duals:
    """The dual numbers over one arithmetic."""

    def __init__(self, base: Arithmetic) -> None:
        self.base = base
        self.mark = object()
        self.arithmetic = replace(
            base,
            name=f"{base.name} and slopes",
            dtype=self.mark,
            convert=self._constant,
            number=lambda q: self._constant(base.number(q)),
            divide=self._divide,
            power=self._power,
            functions={name: self._function(name) for name in base.functions},
            library=self._library(),
            infinity=self._constant(base.infinity),
        )

    def of(self, values: Any) -> Any:
        """Values as a dual array: a constant, unless it is one."""
        return self.arithmetic.array(values)

    def _constant(self, values: Any) -> Any:
        return Dual(self, self.base.array(values))

    def varied(self, values: Any, directions: Any) -> Any:
        """Values that vary along directions, each an array of their shape."""
        return Dual(self, self.base.array(values), self.base.array(directions))

    def slopes(self, dual: Dual, directions: int) -> Any:
        """The slopes of an array along so many directions."""
        if dual.slope is not None:
            return dual.slope
        return self.base.array(np.zeros((directions, *dual.shape)))

    def mapped(self, dual: Dual, real: Callable[[Any], Any], slopes: Callable[[Any], Any]) -> Dual:
        """What is done to an array and to its slopes alike."""
        made = self.base.array(real(dual.array))
        return Dual(self, made, None if dual.slope is None else self.base.array(slopes(dual.slope)))

    def _made(self, real: Any, parts: Sequence[tuple[Dual, Callable[[Any], Any]]]) -> Dual:
        """A result, whose slopes are the sum of what becomes of those of its operands."""
        array, total = self.base.array(real), None
        for operand, share in parts:
            if operand.slope is not None:
                part = self.base.array(share(_lead(operand.slope, array.ndim)))
                total = part if total is None else self.base.array(total + part)
        if total is not None and total.shape[1:] != array.shape:
            total = self.base.library.broadcast_to(total, (total.shape[0], *array.shape))
        return Dual(self, array, total)

    # Operations -------------------------------------------------------------------------------

    def add(self, a: Dual, b: Dual) -> Dual:
        return self._made(a.array + b.array, [(a, _same), (b, _same)])

    def multiply(self, a: Dual, b: Dual) -> Dual:
        parts = [(a, lambda s: product(s, b.array)), (b, lambda s: product(s, a.array))]
        return self._made(product(a.array, b.array), parts)

    def _divide(self, a: Any, b: Any) -> Any:
        above, below = self.of(a), self.of(b)
        divide = self.base.divide
        result = self.base.array(divide(above.array, below.array))
        parts: list[tuple[Dual, Callable[[Any], Any]]] = [
            (above, lambda s: divide(s, below.array)),
            (below, lambda s: -self.base.array(divide(product(s, result), below.array))),
        ]
        return self._made(result, parts)

    def _power(self, a: Any, b: Any) -> Any:
        base, exponent = self.of(a), self.of(b)
        result = self.base.array(self.base.power(base.array, exponent.array))

        def as_base_varies(s: Any) -> Any:
            return product(s, slope_of_power(self.base, base.array, exponent.array))

        def as_exponent_varies(s: Any) -> Any:
            return product(s, product(result, self.base.functions["log"](base.array)))

        return self._made(result, [(base, as_base_varies), (exponent, as_exponent_varies)])

    def _function(self, name: str) -> Callable[[Any], Any]:
        def apply(values: Any) -> Any:
            operand = self.of(values)
            result = self.base.functions[name](operand.array)
            return self._made(
                result, [(operand, lambda s: product(s, slope(self.base, name, operand.array)))]
            )

        return apply

    # The array library --------------------------------------------------------------------------

    def _library(self) -> ArrayLibrary:
        library = self.base.library
        kind: Any = (Dual, library.kind)
        return ArrayLibrary(
            kind=kind,
            integers=library.integers,
            where=self._where,
            matmul=self._matmul,
            broadcast_to=self._broadcast_to,
            permute=self._permute,
            concatenate=self._concatenate,
            sum=self._sum,
            max=lambda a, over: self._extremum(library.max, a, over),
            min=lambda a, over: self._extremum(library.min, a, over),
            is_concrete=False,
            tied=self._tied,
            stopped=lambda a: library.stopped(a.array),
        )

    def _broadcast_to(self, a: Any, shape: tuple[int, ...]) -> Any:
        spread = self.base.library.broadcast_to
        return self.mapped(
            a,
            lambda real: spread(real, shape),
            lambda s: spread(_lead(s, len(shape)), (s.shape[0], *shape)),
        )

    def _permute(self, a: Any, axes: tuple[int, ...]) -> Any:
        permute = self.base.library.permute
        moved = (0, *(axis + 1 for axis in axes))
        return self.mapped(a, lambda real: permute(real, tuple(axes)), lambda s: permute(s, moved))

    def _concatenate(self, arrays: Sequence[Any], axis: int) -> Any:
        parts = [self.of(a) for a in arrays]
        join = self.base.library.concatenate
        real = self.base.array(join([part.array for part in parts], axis))
        counts = [part.slope.shape[0] for part in parts if part.slope is not None]
        if not counts:
            return Dual(self, real)
        slopes = [self.slopes(part, counts[0]) for part in parts]
        return Dual(self, real, self.base.array(join(slopes, axis % real.ndim + 1)))

    def _where(self, condition: Any, a: Any, b: Any) -> Any:
        first, second, where = self.of(a), self.of(b), self.base.library.where
        zero = self.base.array(0.0)
        parts: list[tuple[Dual, Callable[[Any], Any]]] = [
            (first, lambda s: where(condition, s, zero)),
            (second, lambda s: where(condition, zero, s)),
        ]
        return self._made(where(condition, first.array, second.array), parts)

    def _tied(self, a: Any, b: Any) -> Any:
        """Two that are equal share the slope, but a number has all of it."""
        first, second = self.of(a), self.of(b)
        base = self.base.library
        if base.tied is None:  # in the shape of both together
            real = base.where(first.array == second.array, first.array, second.array)
        else:
            real = base.tied(first.array, second.array)
        for operand in (second, first):
            if operand.slope is None and operand.size == 1:
                return Dual(self, self.base.array(real))
        half = self.base.divide(self.base.array(1.0), self.base.array(2.0))
        return self._made(real, [(first, lambda s: s * half), (second, lambda s: s * half)])

    def _matmul(self, a: Any, b: Any) -> Any:
        left, right = self.of(a), self.of(b)
        matmul = self.base.library.matmul
        parts: list[tuple[Dual, Callable[[Any], Any]]] = [
            (left, lambda s: matmul(s, right.array)),
            (right, lambda s: matmul(left.array, s)),
        ]
        return self._made(matmul(left.array, right.array), parts)

    def _sum(self, a: Any, over: tuple[int, ...]) -> Any:
        total = self.base.library.sum
        further = tuple(axis + 1 for axis in over)
        return self.mapped(a, lambda real: total(real, over), lambda s: total(s, further))

    def _extremum(self, choose: Callable[..., Any], a: Any, over: tuple[int, ...]) -> Any:
        """Those that attain it share the slope."""
        operand, total = self.of(a), self.base.library.sum
        best, kept = self.base.array(choose(operand.array, over)), kept_shape(operand.array, over)
        if operand.slope is None:
            return Dual(self, best)
        attains = self.base.array(operand.array == best.reshape(kept))
        share = self.base.divide(attains, self.base.array(total(attains, over)).reshape(kept))
        further = tuple(axis + 1 for axis in over)
        return Dual(self, best, self.base.array(total(product(operand.slope, share), further)))


def _same(slopes: Any) -> Any:
    return slopes


def _lead(slopes: Any, rank: int) -> Any:
    """The slopes of an array as those of one of higher rank, whose further axes come first."""
    ones = rank + 1 - slopes.ndim
    return slopes.reshape((slopes.shape[0], *(1,) * ones, *slopes.shape[1:])) if ones > 0 else slopes
