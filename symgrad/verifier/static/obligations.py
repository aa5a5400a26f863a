"""What must hold where a text reaches into an array: shown for all sizes, refuted, or left to the run."""

from __future__ import annotations

import ast
from contextlib import contextmanager
from typing import TYPE_CHECKING

from symgrad.verifier.static.size_polynomials import Size, is_never_negative, product, whole, witness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from symgrad.verifier.static.extents import SizedArray, Value


class BeyondError(Exception):
    """A text that leaves an array; the message says where, and at which sizes."""


class Obligations:
    """What is known where the text is followed, and what was to be shown there.

    `left` are the places where that could neither be shown nor refuted.
    """

    def __init__(self) -> None:
        self.known: list[Size] = []
        self.left: dict[str, None] = {}
        self._where = ("", False)
        self._node = ast.expr(lineno=0)

    @contextmanager
    def knowing(self, facts: Sequence[Size]) -> Iterator[None]:
        """Within, none of the facts is negative."""
        kept = self.known
        self.known = [*kept, *(fact for fact in facts if not is_never_negative(fact))]
        yield
        self.known = kept

    @contextmanager
    def within(self, function: str, *, is_compiled: bool) -> Iterator[None]:
        """Within, the text of a function is followed."""
        kept, self._where = self._where, (function, is_compiled)
        yield
        self._where = kept

    @contextmanager
    def at(self, node: ast.expr) -> Iterator[None]:
        """Within, what is to be shown is asked by this expression."""
        kept, self._node = self._node, node
        yield
        self._node = kept

    def entries_of(self, array: SizedArray, indices: Sequence[Value]) -> SizedArray:
        """What a subscript chooses of an array; without axes where it is one entry."""
        if len(indices) > len(array.shape):
            raise BeyondError(f"{self._place()} has more indices than its array has axes")
        kept = []
        for axis, (index, size) in enumerate(zip(indices, array.shape, strict=False)):
            of = f"axis {axis} of {array}"
            if isinstance(index, slice):
                start = whole(0) if index.start is None else index.start
                end = size if index.stop is None else index.stop
                self._stretch(start, end, size, of)
                kept.append(end - start if isinstance(start, Size) and isinstance(end, Size) else size)
            else:
                self._stretch(index, index + whole(1) if isinstance(index, Size) else index, size, of)
        return array.of_shape((*kept, *array.shape[len(indices) :]))

    def part_of(self, array: SizedArray, start: Value, sizes: Sequence[Value]) -> None:
        """So many numbers from a place on lie within an array."""
        if isinstance(start, Size) and all(isinstance(size, Size) for size in sizes):
            self._stretch(start, start + product(sizes), array.size, f"an array of {array.size} numbers")
        else:
            self.leave()

    def equal(self, sizes: Sequence[Size], others: Sequence[Size], what: str) -> None:
        """Two shapes are the same."""
        if len(sizes) != len(others):
            raise BeyondError(f"{self._place()}: {what} has {len(sizes)} and {len(others)} axes")
        for a, b in zip(sizes, others, strict=True):
            if a != b:
                self._holds(a - b, f"{what}: {a} and {b}")
                self._holds(b - a, f"{what}: {a} and {b}")

    def _stretch(self, start: Value, end: Value, size: Size, of: str) -> None:
        """A stretch begins at 0 or behind it, and ends within a size."""
        if isinstance(start, Size) and isinstance(end, Size):
            self._holds(start, f"reaches below 0 in {of}")
            self._holds(size - end, f"goes beyond {of}")
        else:
            self.leave()

    def _holds(self, size: Size, otherwise: str) -> None:
        if is_never_negative(size, self.known):
            return
        found = witness(size, self.known)
        if found is None:
            self.leave()
            return
        where = ", ".join(f"{symbol.name} = {number}" for symbol, number in found.items())
        raise BeyondError(f"{self._place()} {otherwise}{where and f', where {where}'}")

    def leave(self) -> None:
        """What compiled code asks for here is not known; outside of it Python itself checks."""
        if self._where[1]:
            self.left[self._place()] = None

    def _place(self) -> str:
        return f"line {self._node.lineno}, in {self._where[0]}: {ast.unparse(self._node)}"
