"""Random slices, reshapes, transposes, splits, products by letters, running sums, lookups: all of a shape."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from fuzz.indexed import Indexed
from fuzz.tensors import CLASSES

if TYPE_CHECKING:
    from fuzz.tensors import Axis, Shape

LETTERS = "abcdefgh"


class Rearranged(Indexed):
    """Draws calls of rearrangements; what they are of is drawn by `formula`."""

    def formula(self, shape: Shape, depth: int) -> str:
        raise NotImplementedError

    def rearranged(self, shape: Shape, depth: int) -> str:
        kinds = [self.sliced, self.sliced, self.reshaped, self.transposed, self.part, self.by_letters]
        return str(self.one([*kinds, self.outer, self.running_sum, self.gathered])(shape, depth))

    def sliced(self, shape: Shape, _: int) -> str:
        """A part of a tensor by its name, with entries by number between the slices."""
        source: list[Axis] = []
        keys: list[str] = []
        for axis in shape:
            size, key = self.cut(axis)
            source.append(size)
            keys.append(key)
        if len(source) < 4 and self.chance(0.3):
            at, size = self.whole(0, len(source)), self.whole(1, 3)
            source.insert(at, size)
            keys.insert(at, str(self.one((self.whole(0, size - 1), -self.whole(1, size)))))
        while keys[-1] == ":" and len(keys) > 1 and self.chance(0.5) and any(":" in k for k in keys[:-1]):
            keys.pop()
        return f"{self.named(tuple(source))}[{', '.join(keys)}]"

    def cut(self, axis: Axis) -> tuple[Axis, str]:
        """An axis and a slice of it that has this size."""
        if not isinstance(axis, int):
            return axis, ":"
        kind = self.whole(0, 5)
        if kind == 0:
            return axis, "::-1"
        if kind == 1:
            step = self.whole(2, 3)
            size = step * (axis - 1) + self.whole(1, step)
            return size, f"::{step}"
        if kind == 2:
            step, start = self.whole(1, 2), self.whole(0, 2)
            size = start + step * (axis - 1) + 1 + self.whole(0, 1)
            end = start + step * (axis - 1)
            return size, f"{end}:{start - 1}:-{step}" if start else f"{end}::-{step}"
        if kind == 3:
            before, after = self.whole(0, 2), self.whole(1, 2)
            return axis + before + after, f"{before}:-{after}" if before else f":-{after}"
        if kind == 4:
            return axis + 1, f":{axis}"
        return axis, ":"

    def reshaped(self, shape: Shape, depth: int) -> str:
        """Other axes in place of those with sizes between the free ones."""
        inner: list[Axis] = []
        run: list[int] = []
        for axis in (*shape, ""):
            if isinstance(axis, int):
                run.append(axis)
                continue
            inner += self.other_sizes(run)
            run = []
            if axis:
                inner.append(axis)
        rest = [str(a) for a in shape]
        if (sized := [n for n, a in enumerate(shape) if isinstance(a, int)]) and self.chance(0.3):
            rest[self.one(sized)] = "-1"
        return (
            f"reshape({self.formula(tuple(inner), depth)}, [{', '.join(rest)}])"
            if len(inner) < 5
            else self.named(shape)
        )

    def other_sizes(self, run: list[int]) -> list[int]:
        """Sizes of the same product, one or two of them, or these with a 1."""
        if not run:
            return []
        whole = prod(run)
        first = self.one([d for d in range(1, whole + 1) if whole % d == 0])
        return self.one([[whole], [first, whole // first], [*run, 1], run])

    def transposed(self, shape: Shape, depth: int) -> str:
        """The axes in another order; without numbers the reverse one."""
        order = [*range(len(shape))]
        if self.chance(0.3):
            return f"transpose({self.formula(shape[::-1], depth)})"
        self.random.shuffle(order)
        inner: list[Axis] = [0] * len(shape)
        for axis, place in zip(shape, order, strict=True):
            inner[place] = axis
        numbers = ", ".join(str(self.one((n, n - len(shape)))) for n in order)
        return f"transpose({self.formula(tuple(inner), depth)}, {numbers})"

    def part(self, shape: Shape, depth: int) -> str:
        """One part of an axis, of equal ones or of others."""
        at = self.whole(0, len(shape) - 1)
        size = shape[at]
        if not isinstance(size, int):
            return self.named(shape)
        if self.chance(0.5):
            count = self.whole(1, 3)
            parts, number, whole = str(count), self.whole(0, count - 1), size * count
        else:
            others = [self.whole(1, 3) for _ in range(self.whole(0, 2))]
            number = self.whole(0, len(others))
            others.insert(number, size)
            parts, whole = str(others), sum(others)
        inner = (*shape[:at], whole, *shape[at + 1 :])
        axis = (
            "" if at == len(shape) - 1 and self.chance(0.5) else f", axis={self.one((at, at - len(shape)))}"
        )
        return f"split({self.formula(inner, depth)}, {parts}{axis}, part={number})"

    def by_letters(self, shape: Shape, depth: int) -> str:
        """A sum of products of one to three tensors over letters of its own."""
        result = LETTERS[: len(shape)]
        axis_of: dict[str, Axis] = dict(zip(result, shape, strict=True))
        for letter in LETTERS[len(shape) : len(shape) + self.whole(0, 2)]:
            axis_of[letter] = self.whole(1, 3)
        count = self.whole(1, 3)
        own: list[list[str]] = [[] for _ in range(count)]
        for letter in axis_of:
            for letters in self.random.sample(own, self.whole(1, count)):
                letters.append(letter)
        for letters in own:
            self.random.shuffle(letters)
            if 0 < len(letters) < 3 and self.chance(0.1):
                letters.append(letters[0])
        if any(len(letters) > 4 for letters in own):
            return self.named(shape)
        text = f"{','.join(map(''.join, own))}->{result}"
        tensors = [self.formula(tuple(axis_of[c] for c in letters), depth - 1) for letters in own]
        return f"einsum({text!r}, {', '.join(tensors)})"

    def outer(self, shape: Shape, depth: int) -> str:
        at = self.whole(0, len(shape))
        return f"outer({self.formula(shape[:at], depth)}, {self.formula(shape[at:], depth)})"

    def running_sum(self, shape: Shape, depth: int) -> str:
        sized = [n for n, axis in enumerate(shape) if isinstance(axis, int)]
        if not sized:
            return self.named(shape)
        at = self.one(sized)
        return f"cumsum({self.formula(shape, depth)}, axis={self.one((at, at - len(shape)))})"

    def gathered(self, shape: Shape, depth: int) -> str:
        """Entries that labels name: their axes stand somewhere in the shape."""
        if shape[-1] in (CLASSES, CLASSES + 1) and self.chance(0.5):
            return f"one_hot({self.labels(shape[:-1])}, {shape[-1]})"
        at = self.whole(0, len(shape) - 1)
        end = self.whole(at, len(shape))
        table = (*shape[:at], CLASSES, *shape[end:])
        axis = "" if at == 0 and self.chance(0.5) else f", axis={self.one((at, at - len(table)))}"
        return f"gather({self.formula(table, depth - 1)}, {self.labels(shape[at:end])}{axis})"
