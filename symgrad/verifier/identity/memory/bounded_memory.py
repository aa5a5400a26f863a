"""Arrays laid over vectors of numbers, every access to them held within their bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from symgrad.verifier.interpretation.array_library import Array

Shape = tuple[int, ...]
_MATRIX = 2
"""Axes of the least section that a text takes."""


class BoundsError(Exception):
    """An access beside an array, or an array beside its memory; the message says where."""


@dataclass(frozen=True)
class Kind:
    """What a text asks an array's `dtype` for: how a number of its type is made; and what a number that is
    written to a workspace is taken for."""

    type: Callable[[Any], Any]
    taken: Callable[[Any], Any]


class Offsets(dict[Any, int]):
    """How far each index reaches into an array of a shape; looked up once, then known."""

    def __init__(self, shape: Shape, strides: Shape) -> None:
        self.shape, self.strides = shape, strides

    def __missing__(self, index: Any) -> int:
        indices = index if type(index) is tuple else (index,)
        found, inside = 0, len(indices) == len(self.shape)
        for k, size, stride in zip(indices, self.shape, self.strides, strict=False):
            inside = inside and 0 <= k < size
            found += k * stride
        if not inside:
            raise BoundsError(f"[{', '.join(map(str, indices))}] leaves the shape {self.shape}")
        self[index] = found
        return found


@lru_cache(maxsize=4096)
def offsets(shape: Shape, strides: Shape) -> Offsets:
    """The same for every array laid out alike."""
    return Offsets(shape, strides)


class Content(NamedTuple):
    """The numbers of an array, row by row, and in a workspace the arrays that they were written by."""

    numbers: list[Any]
    owners: list[int]


class View:
    """An array of a shape over a vector of numbers, as the texts of modules use one."""

    __slots__ = ("dtype", "name", "numbers", "offsets", "shape", "start", "strides")

    def __init__(
        self, numbers: list[Any], start: int, shape: Shape, strides: Shape, kind: Kind, name: str
    ) -> None:
        self.numbers, self.start, self.shape, self.strides = numbers, start, shape, strides
        self.dtype, self.name, self.offsets = kind, name, offsets(shape, strides)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def T(self) -> View:  # NumPy's name
        return self.over(self.start, self.shape[::-1], self.strides[::-1])

    def over(self, start: int, shape: Shape, strides: Shape) -> View:
        """An array of the same memory."""
        return View(self.numbers, start, shape, strides, self.dtype, self.name)

    def section(self, index: Any) -> View:
        """The part at some numbers, else over whole axes or stretches of them: `Q[n, :, i]`, `x[n, u:u + 3]`.

        Raises:
            BoundsError: beside the array, or it is less than a matrix.
        """
        given = index if type(index) is tuple else (index,)
        parts = (*given, *(slice(None),) * (len(self.shape) - len(given)))
        kept = [axis for axis, part in enumerate(parts) if isinstance(part, slice)]
        ends = [_ends(part, size) for part, size in zip(parts, self.shape, strict=False)]
        if len(given) > len(self.shape) or len(kept) < _MATRIX or None in ends:
            raise BoundsError(f"{self.name}[{', '.join(map(str, given))}] leaves the shape {self.shape}")
        stretches = [stretch for stretch in ends if stretch is not None]
        start = sum(first * step for (first, _), step in zip(stretches, self.strides, strict=True))
        shape, strides = (
            tuple(of[axis] for axis in kept)
            for of in ([end - first for first, end in stretches], self.strides)
        )
        return self.over(self.start + start, shape, strides)

    def reshape(self, *shape: Any) -> View:
        """The same numbers in another shape.

        Raises:
            BoundsError: not as many, or not side by side.
        """
        sizes: Shape = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        if -1 in sizes:
            sizes = tuple(self.size // -math.prod(sizes) if size == -1 else size for size in sizes)
        if math.prod(sizes) != self.size or self.strides != strides_of(self.shape):
            raise BoundsError(f"{self.name} of shape {self.shape} cannot be taken as {sizes}")
        return self.over(self.start, sizes, strides_of(sizes))

    def part(self, start: int, shape: Sequence[int]) -> View:
        """So many numbers from a place on, as an array.

        Raises:
            BoundsError: they leave this one.
        """
        sizes = tuple(shape)
        if self.strides != strides_of(self.shape) or start < 0 or start + math.prod(sizes) > self.size:
            raise BoundsError(f"{sizes} from {start} on leaves {self.name} with its {self.size} numbers")
        return self.over(self.start + start, sizes, strides_of(sizes))

    def place(self, index: Any) -> int:
        """Where an entry lies in memory.

        Raises:
            BoundsError: beside the array.
        """
        try:
            return self.start + self.offsets[index]
        except BoundsError as fault:
            raise BoundsError(f"{self.name}{fault}") from None

    def __getitem__(self, index: Any) -> Any:
        try:
            return self.numbers[self.start + self.offsets[index]]
        except (BoundsError, TypeError):  # a slice is no key
            return self.section(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        if index is Ellipsis or isinstance(index, slice):
            self.fill(value, index)
            return
        self.numbers[self.place(index)] = value

    def fill(self, value: Any, index: Any) -> None:
        """Give every entry one number, or those of another array of this shape."""
        if index is not Ellipsis and index != slice(None):
            raise BoundsError(f"{self.name}[{index}] is no use of an array that is known here")
        if isinstance(value, View):
            if value.shape != self.shape:
                raise BoundsError(f"{value.name} of shape {value.shape} is no content of {self.shape}")
            self._put(self.numbers, value.array().reshape(-1).tolist())
            return
        self._put(self.numbers, [self.dtype.type(value)] * self.size)

    def places(self) -> list[int]:
        """Where its numbers lie, row by row."""
        return [self.start + reach for reach in reaches(self.shape, self.strides)]

    def content(self) -> Content:
        """A copy of all that lies in it."""
        return Content(self._chosen(self.numbers), [])

    def restore(self, content: Content) -> None:
        """What lay in an array like it lies in it."""
        self._put(self.numbers, content.numbers)

    def _chosen(self, memory: list[Any]) -> list[Any]:
        """What a list has at the places of the array, row by row."""
        if self.strides == strides_of(self.shape):
            return memory[self.start : self.start + self.size]
        return [memory[place] for place in self.places()]

    def _put(self, memory: list[Any], values: list[Any]) -> None:
        """Give a list these values at the places of the array, row by row."""
        if self.strides == strides_of(self.shape):
            memory[self.start : self.start + self.size] = values
            return
        for place, value in zip(self.places(), values, strict=True):
            memory[place] = value

    def array(self) -> Array:
        """A copy of its numbers for NumPy."""
        chosen = self._chosen(self.numbers)
        found = np.empty(len(chosen), dtype=object)
        found[:] = chosen
        return found.reshape(self.shape)

    def copy(self) -> Array:
        """The same: what a text hands out of what it was given."""
        return self.array()

    def put(self, values: Array) -> None:
        """Give every entry its own number."""
        self._put(self.numbers, values.reshape(-1).tolist())


def _ends(part: Any, size: int) -> tuple[int, int] | None:
    """Where a part of an axis begins and ends; None where it leaves it, or is no part that texts take."""
    first, end, step = (
        (part.start, part.stop, part.step) if isinstance(part, slice) else (part, part + 1, None)
    )
    first, end = 0 if first is None else first, size if end is None else end
    return (first, end) if step is None and 0 <= first < end <= size else None


@lru_cache(maxsize=512)
def reaches(shape: Shape, strides: Shape) -> list[int]:
    """How far the entries of an array reach, row by row."""
    found = [0]
    for size, stride in zip(shape, strides, strict=True):
        found = [start + k * stride for start in found for k in range(size)]
    return found


@lru_cache(maxsize=4096)
def strides_of(shape: Shape) -> Shape:
    """The steps along each axis of an array that lies in one piece, its last axis innermost."""
    return tuple(math.prod(shape[k + 1 :]) for k in range(len(shape)))


def laid_over(numbers: Array, kind: Kind, name: str) -> View:
    """A copy of an array's numbers as memory of their own."""
    return View(numbers.reshape(-1).tolist(), 0, numbers.shape, strides_of(numbers.shape), kind, name)
