"""A workspace in which no array reads what another one wrote, nor what none did.

Arrays follow each other in the same memory. Each number remembers which of them it was written by: an array
is the place where it begins and its size, whatever its name and whichever function lays it there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from symgrad.verifier.identity.memory.bounded_memory import (
    BoundsError,
    Content,
    Kind,
    Shape,
    View,
    strides_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.verifier.interpretation.array_library import Array

NOBODY = -1
_PLACES = 2**40
"""More than any workspace has: who wrote a number is told alike in workspaces of all sizes."""


class Workspace(View):
    """An array in a workspace, or the whole of it."""

    __slots__ = ("owner", "owners")

    def __init__(
        self,
        numbers: list[Any],
        start: int,
        shape: Shape,
        strides: Shape,
        kind: Kind,
        name: str,
        owners: list[int],
    ) -> None:
        super().__init__(numbers, start, shape, strides, kind, name)
        self.owners, self.owner = owners, start * _PLACES + self.size

    def over(self, start: int, shape: Shape, strides: Shape) -> View:
        """The array in another form, or a part of it: written by whom it was."""
        found = Workspace(self.numbers, start, shape, strides, self.dtype, self.name, self.owners)
        found.owner = self.owner
        return found

    def part(self, start: int, shape: Sequence[int]) -> View:
        """An array of its own in the workspace; of an array a part, as the steps that a last part has."""
        found = super().part(start, shape)
        if isinstance(found, Workspace) and self.size == len(self.numbers):
            found.owner = found.start * _PLACES + found.size
        return found

    def __getitem__(self, index: Any) -> Any:
        try:  # as `place`, without a call for each number
            place = self.start + self.offsets[index]
        except (BoundsError, TypeError):  # a slice is no key
            return self.section(index)
        if self.owners[place] != self.owner:
            self._complain()
        return self.numbers[place]

    def __setitem__(self, index: Any, value: Any) -> None:
        if index is Ellipsis or isinstance(index, slice):
            self.fill(value, index)
            return
        place = self.place(index)
        self.numbers[place], self.owners[place] = self.dtype.taken(value), self.owner

    def fill(self, value: Any, index: Any) -> None:
        super().fill(value, index)
        self._claim()

    def array(self) -> Array:
        if any(owner != self.owner for owner in self._chosen(self.owners)):
            self._complain()
        return super().array()

    def put(self, values: Array) -> None:
        self._put(self.numbers, list(map(self.dtype.taken, values.reshape(-1).tolist())))
        self._claim()

    def content(self) -> Content:
        return Content(self._chosen(self.numbers), self._chosen(self.owners))

    def restore(self, content: Content) -> None:
        self._put(self.numbers, content.numbers)
        self._put(self.owners, content.owners)

    def _claim(self) -> None:
        self._put(self.owners, [self.owner] * self.size)

    def _complain(self) -> None:
        what = f"the array of shape {self.shape} at {self.start} of {self.name}"
        raise BoundsError(f"{what} is read where it was not written, or where another array has been since")


def workspace(numbers: Array, kind: Kind, name: str) -> Workspace:
    """Memory that holds these numbers, written by nobody."""
    shape = numbers.shape
    return Workspace(numbers.tolist(), 0, shape, strides_of(shape), kind, name, [NOBODY] * numbers.size)
