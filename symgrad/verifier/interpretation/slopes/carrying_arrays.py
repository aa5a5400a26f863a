"""Arrays that carry something along: slopes, or a place on a tape; they are computed with as others are."""

from __future__ import annotations

from typing import Any, Protocol


class Carrier(Protocol):
    """Who knows what becomes of what is carried."""

    mark: Any

    def of(self, values: Any) -> Any: ...

    def add(self, a: Any, b: Any) -> Any: ...

    def multiply(self, a: Any, b: Any) -> Any: ...


class CarryingArray:
    """An array of an arithmetic with more to it, of which the `carrier` knows; compared as the array is."""

    __slots__ = ("array", "carrier")
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]  # == compares entries, as NumPy's does

    def __init__(self, carrier: Carrier, array: Any) -> None:
        self.carrier, self.array = carrier, array

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)

    @property
    def ndim(self) -> int:
        return int(self.array.ndim)

    @property
    def size(self) -> int:
        return int(self.array.size)

    @property
    def dtype(self) -> Any:
        return self.carrier.mark

    def __neg__(self) -> Any:
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        return self.carrier.add(self, self.carrier.of(other))

    def __sub__(self, other: Any) -> Any:
        return self.carrier.add(self, -self.carrier.of(other))

    def __mul__(self, other: Any) -> Any:
        return self.carrier.multiply(self, self.carrier.of(other))

    def __radd__(self, other: Any) -> Any:
        return self.carrier.of(other) + self

    def __rsub__(self, other: Any) -> Any:
        return self.carrier.of(other) - self

    def __rmul__(self, other: Any) -> Any:
        return self.carrier.of(other) * self

    def __lt__(self, other: Any) -> Any:
        return self.array < self.carrier.of(other).array

    def __le__(self, other: Any) -> Any:
        return self.array <= self.carrier.of(other).array

    def __gt__(self, other: Any) -> Any:
        return self.array > self.carrier.of(other).array

    def __ge__(self, other: Any) -> Any:
        return self.array >= self.carrier.of(other).array

    def __eq__(self, other: Any) -> Any:
        return self.array == self.carrier.of(other).array

    def __ne__(self, other: Any) -> Any:
        return self.array != self.carrier.of(other).array
