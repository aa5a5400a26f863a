"""Random index notation: entries by number, shifts, strides, sums over several indices, looked-up labels."""

from __future__ import annotations

import re

from fuzz.tensors import CLASSES, FREE, Axis, Shape, Tensors
from symgrad.spec.reductions import REDUCTIONS

Ranges = dict[str, Axis]
"""How far each index runs: a size, or a free axis."""

UNARY = (
    "tanh({})",
    "({})**2",
    "exp(-({})**2)",
    "sin({})",
    "relu({})",
    "1 / (1 + ({})**2)",
    "-({})",
    "abs({})",
)
BINARY = ("({}) + ({})", "({}) - ({})", "({}) * ({})", "({}) * ({})", "max({}, {})", "({}) / (2 + ({})**2)")
NUMBERED = (
    "({x}) * {i}",
    "({x}) + {i} / 3",
    "({x}) * sin({i} / 2)",
    "({x}) / ({i} + 1)",
    "({x})**2 * ({i} - 2)",
    "{i}**2 - ({x})",
    "max({i}, {x})",
    "exp(-{i}) * ({x})",
)
REDUCERS = ("sum", "sum", *REDUCTIONS)
INDICES = tuple("ijkuvrabdelqoh")


class Indexed(Tensors):
    """Draws formulas over indices of known ranges: every index stands alone somewhere, is given its range, or
    is solved for in an affine form with one that is.

    No name of an index is used twice in one equation, where it could not have two ranges.
    """

    used = 0
    given: set[str]
    """The indices whose ranges stand in the text."""
    divisors: dict[str, int]
    """What each index is divided by, if it is."""

    def numbered(self) -> str:
        """One entry of a tensor, by its number."""
        shape = tuple(a for a in self.shape(self.whole(1, 2)) if isinstance(a, int)) or (3,)
        name = self.named(shape)
        return f"{name}[{', '.join(str(self.whole(0, int(a) - 1)) for a in shape)}]"

    def equation(self, name: str) -> tuple[str, Shape, str]:
        """The left side of an equation in index notation, its shape and its formula."""
        shape, self.used, self.given = self.shape(self.whole(1, 3)), 0, set()
        self.divisors = {}
        ranges: Ranges = dict(zip(self.names(len(shape)), shape, strict=True))
        left = [i if is_open else f"{i}:{self.size(ranges[i])}" for i, is_open in self.some_given(ranges)]
        anchor = self.anchor(ranges)
        formula = f"{self.indexed(ranges, self.whole(0, 2))} {self.one('+-*')} {anchor}"
        return f"{name}[{', '.join(left)}]", shape, formula

    def some_given(self, ranges: Ranges) -> list[tuple[str, bool]]:
        """The indices, and whether each has no range of its own in the text."""
        known = {axis for of in self.shapes.values() for axis in of}
        chosen = [i for i, axis in ranges.items() if self.chance(0.3) and (axis in known or axis not in FREE)]
        self.given.update(chosen)
        return [(i, i not in chosen) for i in ranges]

    def size(self, axis: Axis) -> str:
        """A size as a range says it: a number, the name of one, or a sum."""
        if not isinstance(axis, int) or self.chance(0.5):
            return str(axis)
        name, size = self.one([*self.axes.items()])
        return name if size == axis else f"{name} {'-' if axis < size else '+'} {abs(axis - size)}"

    def index_reduction(self, _: Shape, depth: int) -> str:
        """A reduction over one to three indices at once."""
        return self.reduction({}, depth)

    def reduction(self, outer: Ranges, depth: int) -> str:
        self.given = set(outer) & self.given if outer else set()
        self.divisors = {i: d for i, d in self.divisors.items() if i in outer} if outer else {}
        names = self.names(self.whole(1, 3 if len(outer) < 2 else 1))
        inner = dict(zip(names, self.shape(len(names)), strict=True))
        ways = self.some_given(inner)
        body = f"({self.indexed({**outer, **inner}, depth - 1)}) * {self.anchor(inner)}"
        hidden = self.mask(outer, inner)
        if unused := [i for i, is_open in ways if not is_open and not re.search(rf"\b{i}\b", body)]:
            body += f" * {self.named(tuple(self.longer(inner[i]) for i in unused))}[{', '.join(unused)}]"
        over = [i for i, is_open in ways if is_open]
        over += [f"{i}={self.size(inner[i])}" for i, is_open in ways if not is_open]
        if hidden:
            return f"{self.one(('max', 'logsumexp'))}(where({hidden}, {body}, -inf), {', '.join(over)})"
        return f"{self.one(REDUCERS)}({body}, {', '.join(over)})"

    def mask(self, outer: Ranges, inner: Ranges) -> str:
        """A condition on indices that hides some terms and leaves some; mostly nothing."""
        whole = [i for i, size in inner.items() if isinstance(size, int)]
        if not whole or not self.chance(0.3):
            return ""
        j, around = self.one(whole), [i for i, size in outer.items() if isinstance(size, int)]
        size, limits = int(inner[j]), [f"{self.whole(0, 3)}", *around, *(f"2*{i}" for i in around)]
        return self.one((f"{j} <= {self.one(limits)}", f"{j} != {size}", f"{j} >= {self.whole(0, size - 1)}"))

    def divided(self, index: str, size: int) -> int:
        """A divisor of a range, the same one whenever the index is divided."""
        return self.divisors.setdefault(index, self.one([d for d in range(1, size + 1) if size % d == 0]))

    def names(self, count: int) -> tuple[str, ...]:
        """So many new indices; those of an old equation come back."""
        first, self.used = self.used, self.used + count
        return tuple(INDICES[k % len(INDICES)] for k in range(first, self.used))

    def anchor(self, ranges: Ranges) -> str:
        """An entry that says how far every index runs that is not given: alone, or in a form to be solved."""
        order = [i for i in ranges if i not in self.given or self.chance(0.3)]
        self.random.shuffle(order)
        known = [i for i in self.given if isinstance(ranges.get(i), int)]
        places = []
        for i in order:
            size = ranges[i]
            if i not in self.given and isinstance(size, int) and known and self.chance(0.4):
                k, stride = self.one(known), self.whole(1, 3)
                most = stride * (size - 1) + int(ranges[k]) + self.whole(0, stride - 1)
                places.append((f"{stride}*{i} + {k}", most))
            else:
                places.append((i, self.longer(size) if i in self.given else size))
        if not places:
            return self.named(())
        return f"{self.named(tuple(size for _, size in places))}[{', '.join(text for text, _ in places)}]"

    def longer(self, axis: Axis) -> Axis:
        """An axis of which a given index takes the first entries, or all."""
        return axis + self.whole(0, 2) if isinstance(axis, int) else axis

    def indexed(self, ranges: Ranges, depth: int) -> str:
        """A number for every value of the indices."""
        if depth <= 0 or self.chance(0.2):
            return self.entry(ranges)
        numbers = [i for i, size in ranges.items() if isinstance(size, int)]
        if numbers and self.chance(0.2):
            return self.by_place(numbers, ranges, depth - 1)
        kind = self.whole(0, 6)
        if kind <= 1:
            return self.one(UNARY).format(self.indexed(ranges, depth - 1))
        if kind == 2 and len(ranges) < 4:
            return self.reduction(ranges, depth)
        if kind == 3:
            parts = [self.indexed(ranges, depth - 1) for _ in range(4)]
            return "where({} > {}, {}, {})".format(*parts)
        return self.one(BINARY).format(self.indexed(ranges, depth - 1), self.indexed(ranges, depth - 1))

    def by_place(self, numbers: list[str], ranges: Ranges, depth: int) -> str:
        """What depends on an index as a number, or is chosen by it."""
        i, j, inner = self.one(numbers), self.one(numbers), self.indexed(ranges, depth)
        if self.chance(0.2):
            by = self.divided(i, int(ranges[i]))
            return f"({inner}) * ({i} {self.one(('//', '%'))} {by} - 1)"
        if self.chance(0.5):
            return self.one(NUMBERED).format(i=i, x=inner)
        forms = (j, f"{j} + 1", f"2*{j} - 1", f"{self.whole(1, 4)} - {j}") if i != j else ()
        right = self.one((f"{self.whole(1, 3)}", *forms))
        relation = self.one(("<", "<=", ">", ">=", "==", "!="))
        other = self.one(("0", "-1e9", self.indexed(ranges, depth)))
        return f"where({i} {relation} {right}, {inner}, {other})"

    def entry(self, ranges: Ranges) -> str:
        """An entry of a tensor at places made of some of the indices."""
        if self.chance(0.1):
            return self.numbered()
        chosen = [i for i in ranges if self.chance(0.7)][:3]
        self.random.shuffle(chosen)
        places = [self.place(i, ranges) for i in chosen]
        if self.chance(0.15):
            size = self.one(self.sizes)
            places.insert(self.whole(0, len(places)), (str(self.whole(0, size - 1)), size))
        if not places:
            return self.named(())
        name = self.named(tuple(axis for _, axis in places), reuse=0.5)
        return f"{name}[{', '.join(text for text, _ in places)}]"

    def place(self, index: str, ranges: Ranges) -> tuple[str, Axis]:
        """A place made of an index, and the axis it needs."""
        size = ranges[index]
        if not isinstance(size, int):
            if self.chance(0.1):
                return f"{self.labels((size,))}[{index}]", CLASSES
            return index, size
        if index in self.given and self.chance(0.2):
            return index, self.longer(size)
        others = [(i, s) for i, s in ranges.items() if isinstance(s, int) and i != index]
        kind = self.whole(0, 9)
        if kind == 0:
            shift = self.whole(1, 2)
            return f"{index} + {shift}", size + shift
        if kind == 1:
            return f"2*{index}", 2 * size - 1
        if kind == 2:
            return f"{size - 1} - {index}", size
        if kind == 6:
            by = self.divided(index, size)
            return (f"{index} // {by}", size // by) if self.chance(0.5) else (f"{index} % {by}", by)
        if kind == 5 and others:
            other, length = self.one(others)
            stride = self.axes["J"]
            return f"J*{index} + {other}", stride * (size - 1) + length
        if kind <= 4 and others:
            other, length = self.one(others)
            stride = self.whole(1, 2)
            text = f"{index} + {other}" if stride == 1 else f"2*{index} + {other}"
            return text, stride * (size - 1) + length
        return index, size
