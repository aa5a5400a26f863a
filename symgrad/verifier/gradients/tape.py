"""Reverse differentiation of the interpreter itself: a tape of what it did to arrays, read backwards.

A tape wraps an arithmetic. The interpreter computes with it as with any other; every array remembers the
arrays it was made of and how a cotangent goes back to them. One forward and one backward pass give the
slope in every entry of every tensor (Linnainmaa 1970). Nothing here knows a derivative but those of sums,
products, quotients and choices: the slopes of functions are handed in.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from symgrad.verifier.interpretation.arithmetic import Arithmetic, product
from symgrad.verifier.interpretation.array_library import Array, ArrayLibrary
from symgrad.verifier.interpretation.slopes.carrying_arrays import CarryingArray
from symgrad.verifier.interpretation.tensors import kept_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Pullback: TypeAlias = "Callable[[Array], Array] | _Part"
"""From the cotangent of a result to that of one of its operands, up to broadcasting."""

Slope: TypeAlias = "Callable[[str, Array], Array]"
"""The derivative of a scalar function, by its name, at the entries of an array."""

Rounding: TypeAlias = "Callable[[Array, Array], Array]"
"""A result as a less exact machine might have it; the second array says what its error is relative to."""

_LARGEST_WHOLE = 64
"""Powers up to this are products."""


class Recorded(CarryingArray):
    """An array on a tape. `number` is its place there; constants have none."""

    __slots__ = ("number",)
    carrier: Tape

    def __init__(self, array: Array, tape: Tape, number: int | None = None) -> None:
        super().__init__(tape, array)
        self.number = number

    def __neg__(self) -> Recorded:
        return self.carrier.record(-self.array, [(self, operator.neg)])

    def reshape(self, *shape: Any) -> Recorded:
        result = self.array.reshape(*shape)
        return self.carrier.record(result, [(self, lambda g: g.reshape(self.shape))])

    def __getitem__(self, key: Any) -> Recorded:
        return self.carrier.record(self.array[key], [(self, _Part(key))])


@dataclass(frozen=True)
class _Part:
    """A result that is a part of its operand: its cotangent is added where it lay, and nothing elsewhere.

    A recurrence takes a part in each of its steps: with an array of zeros for each of them, time would grow
    with the square of their number.
    """

    key: Any


@dataclass(frozen=True)
class _Step:
    """What a recorded array was made of."""

    shape: tuple[int, ...]
    operands: tuple[tuple[int, tuple[int, ...], Pullback], ...]


class Tape:
    """Records what is computed with `arithmetic`.

    `slope` gives the derivatives of the functions of `base`. With `rounding` every result and every
    cotangent is changed as by a machine that holds fewer digits.
    """

    def __init__(self, base: Arithmetic, slope: Slope, rounding: Rounding | None = None) -> None:
        self.base, self.slope, self.rounding = base, slope, rounding
        self.mark = object()  # an instance: NumPy takes a class for the type of all objects
        self.steps: list[_Step] = []
        self.zero = base.array(0.0)
        self.arithmetic = replace(
            base,
            name=f"{base.name}, recorded",
            dtype=self.mark,
            convert=self._constant,
            number=self._number,
            divide=self._divide,
            power=self._power,
            functions={name: self._function(name) for name in base.functions},
            library=self._library(),
        )

    def of(self, values: Any) -> Recorded:
        """Values as a recorded array: a constant, unless it is on the tape."""
        recorded: Any = self.arithmetic.array(values)
        return cast("Recorded", recorded)

    def _constant(self, values: Any) -> Any:
        return Recorded(self.base.array(values), self)

    def variable(self, values: Any) -> Recorded:
        """A new array whose cotangent may be asked for."""
        self.steps.append(_Step(np.shape(values), ()))
        return Recorded(self.base.array(values), self, len(self.steps) - 1)

    def zeros(self, shape: tuple[int, ...]) -> Array:
        """An array of zeros of the base arithmetic, to be written to."""
        return np.array(np.broadcast_to(self.zero, shape))

    def record(
        self, result: Any, operands: Sequence[tuple[Recorded, Pullback]], magnitude: Array | None = None
    ) -> Recorded:
        """Note a result and what it was made of; `magnitude` is what its rounding is relative to."""
        array = self.base.array(result)
        if self.rounding is not None and magnitude is not None:
            array = self.base.array(self.rounding(array, magnitude))
        links = tuple((o.number, o.shape, back) for o, back in operands if o.number is not None)
        if not links:
            return Recorded(array, self)
        self.steps.append(_Step(array.shape, links))
        return Recorded(array, self, len(self.steps) - 1)

    def gradients(self, result: Recorded, wanted: Sequence[Recorded]) -> list[Array]:
        """The cotangents of the wanted arrays, that of `result`, one number, being 1."""
        cotangents: dict[int, Array] = {}
        fresh: set[int] = set()  # those whose arrays are nobody else's
        kept = {array.number for array in wanted}
        if result.number is not None:
            cotangents[result.number] = self.base.array(np.ones(result.shape))
        for number in reversed(range(len(self.steps))):
            cotangent = cotangents.get(number) if number in kept else cotangents.pop(number, None)
            if cotangent is None:
                continue
            for operand, shape, back in self.steps[number].operands:
                so_far = cotangents.get(operand)
                if not isinstance(back, _Part):
                    share = self._fit(self.base.array(back(cotangent)), shape)
                    cotangents[operand] = share if so_far is None else self._sum(so_far, share)
                    continue
                if so_far is None or operand not in fresh:
                    cotangents[operand] = self.zeros(shape) if so_far is None else np.array(so_far)
                    fresh.add(operand)
                self._add_part(cotangents[operand], back.key, cotangent)
        zeros = (self.zeros(array.shape) for array in wanted)
        return [
            cotangents.get(-1 if a.number is None else a.number, z)
            for a, z in zip(wanted, zeros, strict=True)
        ]

    # Rounding ---------------------------------------------------------------------------------

    def _size_of(self, array: Array) -> Array:
        return self.base.functions["abs"](array) if self.rounding is not None else array

    def _rounded(self, array: Any) -> Array:
        exact = self.base.array(array)
        if self.rounding is None:
            return exact
        return self.base.array(self.rounding(exact, self._size_of(exact)))

    def _number(self, value: Any) -> Any:
        number = self.base.number(value)
        is_exact = value.denominator & (value.denominator - 1) == 0
        return number if is_exact else self._rounded(number)

    def _sum(self, a: Array, b: Array) -> Array:
        return self._rounded(a + b)

    def _add_part(self, whole: Array, key: Any, part: Array) -> None:
        np.add.at(whole, key, self._rounded(part))
        if self.rounding is not None:
            whole[key] = self._rounded(whole[key])

    def _fit(self, cotangent: Array, shape: tuple[int, ...]) -> Array:
        """A cotangent summed over what its operand was repeated along."""
        cotangent = self._rounded(cotangent)
        if cotangent.shape == shape:
            return cotangent
        extra = cotangent.ndim - len(shape)
        repeated = tuple(
            axis
            for axis, size in enumerate(cotangent.shape)
            if axis < extra or (shape[axis - extra] == 1 and size != 1)
        )
        return self._total(cotangent, repeated).reshape(shape)

    def _total(self, array: Array, over: tuple[int, ...]) -> Array:
        total = self.base.array(self.base.library.sum(array, over))
        if self.rounding is None:
            return total
        return self.base.array(self.rounding(total, self.base.library.sum(self._size_of(array), over)))

    # Operations -------------------------------------------------------------------------------

    def add(self, a: Recorded, b: Recorded) -> Recorded:
        result = self.base.array(a.array + b.array)
        return self.record(result, [(a, _same), (b, _same)], self._size_of(result))

    def multiply(self, a: Recorded, b: Recorded) -> Recorded:
        result = self.base.array(product(a.array, b.array))
        pulls = [(a, lambda g: self._times(g, b.array)), (b, lambda g: self._times(g, a.array))]
        return self.record(result, pulls, self._size_of(result))

    def _times(self, cotangent: Array, slope: Array) -> Array:
        """What is not asked for has no share, however steep it is: a choice not taken, say."""
        return self.base.array(self.base.library.where(cotangent == self.zero, self.zero, cotangent * slope))

    def _divide(self, a: Any, b: Any) -> Any:
        above, below = self.of(a), self.of(b)
        result = self.base.array(self.base.divide(above.array, below.array))
        inverse = self.base.divide(self.base.array(1.0), below.array)
        pulls = [
            (above, lambda g: self._times(g, inverse)),
            (below, lambda g: -self._times(self._times(g, result), inverse)),
        ]
        return self.record(result, pulls, self._size_of(result))

    def _function(self, name: str) -> Callable[[Any], Any]:
        def apply(values: Any) -> Any:
            operand = self.of(values)
            result = self.base.array(self.base.functions[name](operand.array))
            pulls = [(operand, lambda g: self._times(g, self.slope(name, operand.array)))]
            return self.record(result, pulls, self._size_of(result))

        return apply

    def _power(self, a: Any, b: Any) -> Any:
        """A whole power as products, the square root's as that, any other as exp(b log a)."""
        base, exponent = self.of(a), self.of(b)
        numbers = np.unique(np.asarray(exponent.array, dtype=np.float64))
        twice = 2 * float(numbers[0]) if exponent.number is None and numbers.size == 1 else 0.5
        if not twice.is_integer() or abs(twice) > 2 * _LARGEST_WHOLE:
            return self._function("exp")(exponent * self._function("log")(base))
        whole, half = divmod(int(abs(twice)), 2)
        result = self._whole_power(base, whole)
        if half:
            root = self._function("sqrt")(base)
            result = root if whole == 0 else result * root
        return result if twice >= 0 else self._divide(1.0, result)

    def _whole_power(self, base: Recorded, exponent: int) -> Recorded:
        if exponent == 0:
            return self.of(np.ones(base.shape))
        if exponent == 1:
            return base
        half = self._whole_power(base, exponent // 2)
        square = self.multiply(half, half)
        return self.multiply(square, base) if exponent % 2 else square

    # The array library --------------------------------------------------------------------------

    def _library(self) -> ArrayLibrary:
        library = self.base.library
        return ArrayLibrary(
            kind=Recorded,
            integers=library.integers,
            where=self._where,
            matmul=self._matmul,
            broadcast_to=self._broadcast_to,
            permute=self._permute,
            concatenate=self._concatenate,
            sum=self._library_sum,
            max=lambda a, over: self._extremum(library.max, a, over),
            min=lambda a, over: self._extremum(library.min, a, over),
            is_concrete=False,
            tied=self._tied,
            stopped=lambda a: self.base.library.stopped(a.array),
        )

    def _broadcast_to(self, a: Any, shape: tuple[int, ...]) -> Any:
        return self.record(self.base.library.broadcast_to(a.array, shape), [(a, _same)])

    def _permute(self, a: Any, axes: tuple[int, ...]) -> Any:
        permute, back = self.base.library.permute, tuple(int(axis) for axis in np.argsort(axes))
        return self.record(permute(a.array, axes), [(a, lambda g: permute(g, back))])

    def _concatenate(self, arrays: Sequence[Any], axis: int) -> Any:
        parts = [self.of(a) for a in arrays]
        ends = np.cumsum([0, *(part.shape[axis] for part in parts)])

        def part_of(start: int, end: int) -> Pullback:
            chosen = (*(slice(None),) * axis, slice(start, end))
            return lambda g: g[chosen]

        pulls = [(p, part_of(*span)) for p, span in zip(parts, pairwise(ends), strict=True)]
        return self.record(self.base.library.concatenate([p.array for p in parts], axis), pulls)

    def _where(self, condition: Any, a: Any, b: Any) -> Any:
        first, second, where = self.of(a), self.of(b), self.base.library.where
        result = where(condition, first.array, second.array)
        pulls = [
            (first, lambda g: where(condition, g, self.zero)),
            (second, lambda g: where(condition, self.zero, g)),
        ]
        return self.record(result, pulls)

    def _tied(self, a: Any, b: Any) -> Any:
        """Two that are equal share the slope, but a number has all of it."""
        first, second = self.of(a), self.of(b)
        for operand in (second, first):
            if operand.number is None and operand.size == 1:
                return operand
        half = self.base.divide(self.base.array(1.0), self.base.array(2.0))
        pulls = [(operand, lambda g: self._times(g, half)) for operand in (first, second)]
        equal = first.array == second.array
        return self.record(self.base.library.where(equal, first.array, second.array), pulls)

    def _matmul(self, a: Any, b: Any) -> Any:
        left, right = self.of(a), self.of(b)
        pulls = [
            (left, lambda g: self._product(g, right.array.swapaxes(-1, -2))),
            (right, lambda g: self._product(left.array.swapaxes(-1, -2), g)),
        ]
        return self.record(self._product(left.array, right.array), pulls)

    def _product(self, a: Array, b: Array) -> Array:
        matmul = self.base.library.matmul
        result = self.base.array(matmul(a, b))
        if self.rounding is None:
            return result
        return self.base.array(self.rounding(result, matmul(self._size_of(a), self._size_of(b))))

    def _library_sum(self, a: Any, over: tuple[int, ...]) -> Any:
        operand = self.of(a)
        kept, total = kept_shape(operand.array, over), self._total(operand.array, over)
        spread = self.base.library.broadcast_to
        return self.record(total, [(operand, lambda g: spread(g.reshape(kept), operand.shape))])

    def _extremum(self, choose: Callable[..., Array], a: Any, over: tuple[int, ...]) -> Any:
        """Those that attain it share the slope."""
        operand = self.of(a)
        best, kept = self.base.array(choose(operand.array, over)), kept_shape(operand.array, over)
        attains = self.base.array(operand.array == best.reshape(kept))
        count = self.base.array(self.base.library.sum(attains, over)).reshape(kept)
        share = self.base.divide(attains, count)
        return self.record(best, [(operand, lambda g: self._times(g.reshape(kept), share))])


def _same(cotangent: Array) -> Array:
    return cotangent
