"""A network in plain Python, every access to its arrays checked: first what all of them need."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


class Array:
    """Numbers of a shape. Indices count from zero and stay below the shape's sizes."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: np.ndarray[Any, Any]) -> None:
        self.numbers = numbers

    @property
    def shape(self) -> Any:
        return self.numbers.shape

    @property
    def size(self) -> int:
        return self.numbers.size

    @property
    def dtype(self) -> Any:
        return self.numbers.dtype

    @property
    def T(self) -> Array:  # NumPy's name
        return Array(self.numbers.T)

    def reshape(self, *shape: int) -> Array:
        """The same memory in another shape.

        Raises:
            ValueError: it would have to be copied.
        """
        numbers = self.numbers.reshape(shape)
        if numbers.size and not np.shares_memory(numbers, self.numbers):
            raise ValueError(f"an array of shape {self.shape} cannot be taken as {shape} where it lies")
        return Array(numbers)

    def __getitem__(self, index: Any) -> Any:
        indices = index if isinstance(index, tuple) else (index,)
        numbers = [k for k in indices if not isinstance(k, slice)]
        if len(numbers) <= len(self.shape) - 2 and len(indices) <= len(self.shape):
            return self._section(indices)
        return self.numbers[self._inside(index)]

    def _section(self, indices: tuple[Any, ...]) -> Array:
        """The matrix, or more, at some numbers, else over whole axes or stretches of them.

        Raises:
            IndexError: it leaves the shape.
        """
        for index, size in zip(indices, self.shape, strict=False):
            first, last = (index.start, index.stop - 1) if _is_stretch(index) else (index, index)
            if index != slice(None) and not 0 <= first <= last < size:
                raise IndexError(f"{indices} leaves an array of shape {self.shape}")
        return Array(self.numbers[indices])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.numbers[index if index == slice(None) else self._inside(index)] = value

    def _inside(self, index: Any) -> Any:
        """The index; a number alone stands for the only axis, and for the entry of a single number.

        Raises:
            IndexError: it leaves the shape, or counts from the end.
        """
        indices = index if isinstance(index, tuple) else (index,)
        sizes = self.shape or (1,)
        if len(indices) != len(sizes) or any(not 0 <= k < sizes[n] for n, k in enumerate(indices)):
            raise IndexError(f"{index} leaves an array of shape {self.shape}")
        return index if self.shape else ()


def _is_stretch(index: Any) -> bool:
    """Whether it is a part of an axis from a place on to another."""
    return isinstance(index, slice) and index != slice(None)


def view(vector: Array, start: int, shape: tuple[int, ...]) -> Array:
    """So many numbers of a vector from a place on, as an array; of an array, of all its entries in a row.

    Raises:
        IndexError: they leave the vector.
    """
    end = start + math.prod(shape)
    if start < 0 or end > vector.size:
        raise IndexError(f"{start} to {end} leaves a vector of {vector.size} numbers")
    return Array(vector.reshape(-1).numbers[start:end].reshape(shape))


def memory(size: int, dtype: Any, *constants: Any) -> Array:
    """A workspace with constants at its front; whatever is read before it is computed is no number."""
    work = np.full(size, np.nan, dtype)
    start = 0
    for constant in constants:
        numbers = np.ravel(constant)
        work[start : start + numbers.size] = numbers
        start += numbers.size
    return Array(work)


def in_parts(pass_: Any, turns: int, _: int, given: tuple[Any, ...]) -> None:
    """A pass whose turns have nothing to do with one another, the later ones first."""
    for start, stop in ((turns // 2, turns), (0, turns // 2)):
        pass_(*given, start, stop)


def gemm(scale: Any, left: Array, right: Array, keep: Any, target: Array) -> None:
    """target ← keep·target + scale·left·right; where keep is 0, whatever `target` held is forgotten."""
    found = target.dtype.type(scale) * np.dot(left.numbers, right.numbers)
    target.numbers[...] = found if keep == 0 else target.dtype.type(keep) * target.numbers + found


def masked_gemm(scale: Any, left: Array, right: Array, keep: Any, target: Array) -> None:
    """The same, where an entry of `left` that is exactly 0 adds nothing, even times infinity or NaN."""
    with np.errstate(invalid="ignore"):
        terms = left.numbers[:, :, None] * right.numbers[None]
    found = target.dtype.type(scale) * np.where(left.numbers[:, :, None] == 0, 0, terms).sum(1)
    target.numbers[...] = found if keep == 0 else target.dtype.type(keep) * target.numbers + found


def accumulate(gradient: Array, destination: Array, keep: Any, scale: Any) -> None:
    """destination ← keep·destination + scale·gradient; where keep is 0, what it held is forgotten."""
    found = scale * gradient.numbers
    destination.numbers[...] = found if keep == 0 else keep * destination.numbers + found


def accumulate_rows(gradient: Array, rows: Array, destination: Array, keep: Any, scale: Any) -> None:
    """The same where the gradient is 0 but in these rows, whatever stands in the others."""
    whole = Array(np.zeros_like(gradient.numbers))
    looked_up = np.ravel(rows.numbers)
    whole.numbers[looked_up] = gradient.numbers[looked_up]
    accumulate(whole, destination, keep, scale)


def clear_rows(gradient: Array, rows: Array) -> None:
    """0 in these rows."""
    gradient.numbers[np.ravel(rows.numbers)] = 0


def euclidean_norm(vector: Array) -> float:
    """The root of the sum of squares, in double precision, also where the squares overflow."""
    numbers = vector.numbers.astype(float)
    largest = float(np.max(np.abs(numbers), initial=0))
    unit = largest if 0 < largest < math.inf else 1.0
    return unit * float(np.sqrt(np.sum(np.square(numbers / unit))))


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), where neither overflows."""
    small = np.exp(-abs(x))
    return (x * 0 + 1 if x >= 0 else small) / (1 + small)


def softplus(x: Any) -> Any:
    """log(1 + exp(x))"""
    return np.maximum(x, 0 * x) + np.log1p(np.exp(-abs(x)))


def logcosh(x: Any) -> Any:
    """log(cosh(x))"""
    return abs(x) + np.log1p(np.expm1(-2 * abs(x)) / 2)


def difference_first(a: Any, b: Any) -> Any:
    """a - b; here nothing is regrouped."""
    return a - b


def quotient_first(a: Any, b: Any) -> Any:
    """a / b"""
    return a / b


def product_first(a: Any, b: Any) -> Any:
    """a * b"""
    return a * b
