"""Passes whose turns of one loop have nothing to do with one another, so that threads can take some each.

Every array that is written then has an index that counts these turns, at one place of all its subscripts:
what a turn writes no other turn reads or writes. What is added up over the turns stays on one thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sympy as sp

from symgrad.compiler.kernels.instructions import (
    Add,
    Applied,
    Assign,
    Cell,
    Clear,
    Expression,
    ForRange,
    Give,
    Instruction,
    Invoke,
    Literal,
    Variable,
    When,
    changed,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from symgrad.calculus.program import Equation, Loop

PART = 2**15
"""Entries of a pass that a thread takes at a time, some ten microseconds' work."""
LONG = 2**13
"""So many entries, or more, has a pass that may be worth it, taken that each free axis is FREE long."""
FREE = 32
FEW = PART // 2**8
"""For so many entries at most counts a turn that lies beside the next: 256 of them read long pieces."""
START, STOP = Variable("start"), Variable("stop")
"""Between which turns a part lies."""
IN_PARTS = "in_parts"
"""The function of a module that does a pass in parts, given it, its turns, their entries, its arguments."""


@dataclass(frozen=True)
class Turns:
    """A loop of which threads take some turns each: how many it has, and how many entries each looks at.

    Where turns lie side by side in memory, parts `are_wide`.
    """

    count: sp.Expr
    entries: sp.Expr
    are_wide: bool = False


def turns_of(loop: Loop, equations: Iterable[Equation]) -> Turns | None:
    """The turns of a loop in a pass of these equations; none where the pass is short."""
    if loop.axis.within is not None:
        return None  # steps of a part, of which the last part has fewer
    beside = (sp.Mul(*(other.axis.extent for other in e.loops if other != loop)) for e in equations)
    found = Turns(loop.axis.extent, max(beside, key=_assumed))
    return found if is_long(found.count, found.entries) else None


def in_wide_parts(turns: Turns, body: tuple[Instruction, ...], turn: Variable) -> Turns:
    """The same in wide parts where turns lie side by side."""
    cells = (node for node in walk(body) if isinstance(node, Cell) and len(node.indices) > 1)
    return replace(turns, are_wide=any(cell.indices[-1] == turn for cell in cells))


def counted(turns: Turns, entries: Expression) -> Expression:
    """For how many of the entries that it looks at a turn counts."""
    if not turns.are_wide:
        return entries
    if isinstance(entries, Literal):
        return Literal(min(int(entries.value), FEW))
    return Applied("min", (entries, Literal(FEW)))


def is_long(*extents: sp.Expr) -> bool:
    """Whether what looks at as many entries as these sizes make is so long that threads may share it."""
    return _assumed(sp.Mul(*extents)) >= LONG


def _assumed(size: sp.Expr) -> int:
    return int(size.xreplace(dict.fromkeys(size.free_symbols, sp.Integer(FREE))))


def has_turns(body: tuple[Instruction, ...]) -> bool:
    """Whether it is of a pass that does some turns."""
    return STOP in walk(body)


def in_part(body: tuple[Instruction, ...], turn: Variable) -> tuple[Instruction, ...]:
    """The pass from the turn START on to that before STOP."""

    def bounded(node: Any) -> Any:
        return replace(node, start=START, count=STOP) if _counts(node, turn) else node

    return changed(body, bounded)


def are_apart(body: tuple[Instruction, ...], turn: Variable, turns: Expression) -> bool:
    """Whether the turns of the loops that this variable counts, all of so many, have nothing to do with one
    another.
    """
    steps = tuple(_steps(body))
    loops = tuple(step for step in steps if isinstance(step, ForRange) and step.index == turn)
    return (
        bool(loops)
        and all((loop.start, loop.count, loop.step) == (Literal(0), turns, None) for loop in loops)
        and not any(isinstance(step, Invoke | Clear | Give) for step in steps)
        and not _repeats(body, turn)
        and _have_own_entries(loops, outside := _outside(body, turn), turn)
        and _have_own_numbers(loops, outside)
    )


def _steps(body: Iterable[Instruction]) -> Iterator[Instruction]:
    """All instructions, those in loops and under conditions too."""
    for step in body:
        yield step
        if isinstance(step, ForRange | When):
            yield from _steps(step.body)


def _outside(body: tuple[Instruction, ...], turn: Variable) -> tuple[Instruction, ...]:
    """The same without what is done in turns."""
    return tuple(
        replace(step, body=() if _counts(step, turn) else _outside(step.body, turn))
        if isinstance(step, ForRange | When)
        else step
        for step in body
    )


def _counts(node: Any, turn: Variable) -> bool:
    return isinstance(node, ForRange) and node.index == turn


def _repeats(body: tuple[Instruction, ...], turn: Variable) -> bool:
    """Whether a loop stands beside those of the turns, which every part would run."""
    for loop in (step for step in body if isinstance(step, ForRange | When)):
        if not _counts(loop, turn) and (
            not any(_counts(step, turn) for step in _steps(loop.body)) or _repeats(loop.body, turn)
        ):
            return True
    return False


def _have_own_entries(loops: tuple[ForRange, ...], outside: tuple[Instruction, ...], turn: Variable) -> bool:
    """Whether no entry that one turn writes is another's."""
    stores = [step for step in _steps((*loops, *outside)) if isinstance(step, Assign | Add)]
    written = {store.target.array for store in stores if isinstance(store.target, Cell)}
    cells = [node for node in walk(loops) if isinstance(node, Cell) and node.array in written]
    places = (
        [{n for n, index in enumerate(c.indices) if index == turn} for c in cells if c.array == array]
        for array in written
    )
    is_read_beside = any(isinstance(node, Cell) and node.array in written for node in walk(outside))
    return not is_read_beside and all(set.intersection(*each) for each in places)


def _have_own_numbers(loops: tuple[ForRange, ...], outside: tuple[Instruction, ...]) -> bool:
    """Whether each number that turns form is formed anew in every turn, and read in no other place."""
    stores = (step for step in _steps(loops) if isinstance(step, Assign | Add))
    own = {store.target for store in stores if isinstance(store.target, Variable)}
    return own.isdisjoint(walk(outside)) and all(_is_formed_first(loop.body, own, set()) for loop in loops)


def _is_formed_first(body: tuple[Instruction, ...], own: set[Variable], formed: set[Variable]) -> bool:
    """Whether instructions read none of these numbers before they have formed it."""
    formed = set(formed)
    for step in body:
        match step:
            case ForRange(_, count, inner, stride, start):
                is_formed = not _read((count, stride, start), own) - formed
                is_formed &= _is_formed_first(inner, own, formed)
            case When(condition, inner):
                is_formed = not _read(condition, own) - formed and _is_formed_first(inner, own, formed)
            case Assign(Variable() as target, value):
                is_formed = not _read(value, own) - formed
                formed.add(target)
            case _:
                is_formed = not _read(step, own) - formed
        if not is_formed:
            return False
    return True


def _read(part: Any, own: set[Variable]) -> set[Variable]:
    return own.intersection(node for node in walk(part) if isinstance(node, Variable))
