"""Equal layers become a loop: runs of statements that repeat with tensors a constant stride apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from symgrad.compiler.planning.places.equal_steps import MAX_PERIOD, MIN_REPEATS
from symgrad.compiler.planning.plan import Place

if TYPE_CHECKING:
    from symgrad.compiler.kernels.instructions import Instruction

Operand: TypeAlias = tuple[Place, tuple[object, ...]]
"""Where a tensor lies, and all that must be the same for it to take part in a loop."""


@dataclass(frozen=True)
class Action:
    """A statement with slots for its tensors, and the equations it carries out; it draws from a `stream`,
    if it draws.
    """

    statement: Instruction
    tensors: tuple[str, ...]
    operands: tuple[Operand, ...]
    comments: tuple[str, ...]
    stream: int = 0

    @property
    def covered(self) -> int:
        """How many statements it is."""
        return 1


@dataclass(frozen=True)
class Repeat:
    """`actions`, repeated `times` times; their tensors move by `strides` from one time to the next, and
    what they draw from by so many `streams`.
    """

    actions: tuple[Action, ...]
    last: tuple[Action, ...]
    times: int
    strides: tuple[tuple[int, ...], ...]
    streams: tuple[int, ...]

    @property
    def covered(self) -> int:
        """How many statements it is, time by time."""
        return self.times * len(self.actions)


def reroll(actions: tuple[Action, ...]) -> tuple[Action | Repeat, ...]:
    """The same statements, with runs of equal ones written once."""
    rerolled: list[Action | Repeat] = []
    start = 0
    while start < len(actions):
        repeat = _longest_repeat(actions, start)
        if repeat is None:
            rerolled.append(actions[start])
            start += 1
        else:
            rerolled.append(repeat)
            start += repeat.times * len(repeat.actions)
    return tuple(rerolled)


def sections(parts: tuple[Action | Repeat, ...], longest: int) -> tuple[tuple[Action | Repeat, ...], ...]:
    """The same in sections of nearly equal length, of at most so many statements where no loop has more."""
    sizes = [len(part.actions) if isinstance(part, Repeat) else 1 for part in parts]
    count = max(1, -(-sum(sizes) // longest))
    found: list[list[Action | Repeat]] = [[]]
    written, filled = 0, 0
    for part, size in zip(parts, sizes, strict=True):
        is_due = written * count >= len(found) * sum(sizes)
        if filled and (is_due or filled + size > longest):
            found.append([])
            filled = 0
        found[-1].append(part)
        written, filled = written + size, filled + size
    return tuple(map(tuple, found))


def _longest_repeat(actions: tuple[Action, ...], start: int) -> Repeat | None:
    best: Repeat | None = None
    for period in range(1, min(MAX_PERIOD, (len(actions) - start) // MIN_REPEATS) + 1):
        repeat = _repeat(actions, start, period)
        if repeat is not None and (best is None or repeat.covered > best.covered):
            best = repeat
    return best


def _repeat(actions: tuple[Action, ...], start: int, period: int) -> Repeat | None:
    first = actions[start : start + period]
    second = actions[start + period : start + 2 * period]
    strides = _strides(first, second)
    if strides is None:
        return None
    streams = _moved_streams(first, second)
    times, previous = 2, second
    while True:
        begin = start + times * period
        following = actions[begin : begin + period]
        if _strides(previous, following) != strides or _moved_streams(previous, following) != streams:
            break
        times, previous = times + 1, following
    if times < MIN_REPEATS or not _each_moves_one_way(first, strides):
        return None
    return Repeat(first, previous, times, strides, streams)


def _each_moves_one_way(actions: tuple[Action, ...], strides: tuple[tuple[int, ...], ...]) -> bool:
    """Whether a tensor that several statements use moves by the same stride for all of them."""
    moves: dict[str, int] = {}
    pairs = [p for a, s in zip(actions, strides, strict=True) for p in zip(a.tensors, s, strict=True)]
    return all(moves.setdefault(tensor, move) == move for tensor, move in pairs)


def _strides(first: tuple[Action, ...], second: tuple[Action, ...]) -> tuple[tuple[int, ...], ...] | None:
    """By how much every operand moves; None where the statements differ in more than that."""
    if len(first) != len(second):
        return None
    found = []
    for a, b in zip(first, second, strict=True):
        if a.statement != b.statement or len(a.operands) != len(b.operands):
            return None
        moves = []
        for (place, kind), (other, other_kind) in zip(a.operands, b.operands, strict=True):
            if kind != other_kind or (place.vector, place.unit) != (other.vector, other.unit):
                return None
            moves.append(other.offset - place.offset)
        found.append(tuple(moves))
    return tuple(found)


def _moved_streams(first: tuple[Action, ...], second: tuple[Action, ...]) -> tuple[int, ...]:
    """How far each stream is from that of the same statement one time before."""
    return tuple(b.stream - a.stream for a, b in zip(first, second, strict=True))
