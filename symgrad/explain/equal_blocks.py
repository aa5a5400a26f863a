"""Blocks of equations that come again with other names, and what stands there for which name."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.calculus.simplifying.equal_forms import equation_form, longest_repeat

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence

    from symgrad.calculus.program import Equation, Program

LEAST_TIMES, MAX_PERIOD = 2, 200
SHORTEST = 8
"""Equations of a block that is worth a reader's look back."""
LEAST_ALIKE = 3
_NUMBER = re.compile(r"\d+")
_FIXED = ("input", "target", "constant")


@dataclass(frozen=True)
class EqualBlock:
    """Equations that are those of the block `first` once each name there stands for another, by `names`."""

    equations: tuple[Equation, ...]
    first: tuple[Equation, ...]
    names: Mapping[str, str]


def with_equal_blocks(
    program: Program, equations: Sequence[Equation], hidden: Collection[str]
) -> Iterator[Equation | EqualBlock]:
    """The equations in order; blocks that are as the one before them but for names, as such.

    Tensors in `hidden` are part of the equations that read them.
    """
    forms = [_Named(program, hidden) for _ in equations]
    shapes: dict[Hashable, int] = {}
    numbers = [shapes.setdefault(form.of([e]), len(shapes)) for form, e in zip(forms, equations, strict=True)]
    start = 0
    while start < len(equations):
        period, times = longest_repeat(numbers, start, LEAST_TIMES, MAX_PERIOD)
        blocks = [tuple(equations[start + n * period : start + (n + 1) * period]) for n in range(times)]
        found = tuple(_equal(program, hidden, blocks)) if period >= SHORTEST else ()
        if found:
            yield from found[0].first
            yield from found
            start += period * times
        else:
            yield equations[start]
            start += 1


def equal_gradients(
    program: Program, equations: Sequence[Equation], hidden: Collection[str]
) -> dict[str, str]:
    """Of each equation in one of several equal blocks, which equation of the first block it is again."""
    found = with_equal_blocks(program, equations, hidden)
    blocks = [block for block in found if isinstance(block, EqualBlock)]
    pairs = (pair for block in blocks for pair in zip(block.equations, block.first, strict=True))
    of_first = {e.target: e.target for block in blocks for e in block.first}
    return {**of_first, **{equation.target: first.target for equation, first in pairs}}


def runs_alike(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Names with those before them that they are like, in runs that are like a run.

    What is like itself stands alone.
    """
    run: list[tuple[str, str]] = []
    places: dict[str, int] = {}
    for place, (name, shown) in enumerate(pairs):
        places[name] = place
        is_next = run and places[shown] == places[run[-1][1]] + 1
        if run and not (is_next and name != shown and run[-1][0] != run[-1][1]):
            yield tuple(run)
            run = []
        run.append((name, shown))
    if run:
        yield tuple(run)


def _equal(
    program: Program, hidden: Collection[str], blocks: Sequence[tuple[Equation, ...]]
) -> Iterator[EqualBlock]:
    """All blocks but the first, by that; none where one of them puts names together otherwise."""
    named = [_Named(program, hidden) for _ in blocks]
    if len({form.of(block) for form, block in zip(named, blocks, strict=True)}) > 1:
        return
    for form, block in zip(named[1:], blocks[1:], strict=True):
        yield EqualBlock(block, blocks[0], dict(zip(named[0].names, form.names, strict=True)))


class _Named:
    """Forms of equations, and the tensors in them in the order in which they are met."""

    def __init__(self, program: Program, hidden: Collection[str]) -> None:
        self.program, self.hidden = program, hidden
        self.names: dict[str, int] = {}

    def of(self, equations: Iterable[Equation]) -> Hashable:
        """What equations are, whatever their tensors are called."""
        return tuple(equation_form(equation, self._tensor) for equation in equations)

    def _tensor(self, name: str) -> Hashable:
        tensor, is_new = self.program.tensor[name], name not in self.names
        number = self.names.setdefault(name, len(self.names))
        inside = self.program.definition[name] if is_new and name in self.hidden else None
        extents = tuple(axis.extent for axis in tensor.axes)
        fixed = name if tensor.kind in _FIXED else ""
        return number, tensor.kind, extents, fixed, inside and equation_form(inside, self._tensor)


@dataclass(frozen=True)
class Exchange:
    """Which names stand for which: those with first number `new` for those with `old`, but for `others`."""

    old: str
    new: str
    others: Mapping[str, str]


def exchange(names: Mapping[str, str]) -> Exchange:
    """The same as `names` in few words; without a number that many names share, `old` is empty."""
    pairs = ((_number(old), _number(new)) for old, new in names.items())
    numbers = Counter((old, new) for old, new in pairs if old != new)
    (old, new), count = max(numbers.items(), key=lambda item: item[1], default=(("", ""), 0))
    if count < LEAST_ALIKE or not old or not new:
        return Exchange("", "", {a: b for a, b in names.items() if a != b})
    others = {a: b for a, b in names.items() if b != (_NUMBER.sub(new, a, 1) if _number(a) == old else a)}
    return Exchange(old, new, others)


def _number(name: str) -> str:
    """The first number in a name."""
    found = _NUMBER.search(name)
    return found.group() if found else ""
