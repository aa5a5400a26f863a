"""A clock behind every statement of a step: the same instructions, with a reading after each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from symgrad.compiler.kernels.instructions import (
    Add,
    Applied,
    Assign,
    Cell,
    Clear,
    ForRange,
    Give,
    Instruction,
    Invoke,
    Literal,
    Note,
    Variable,
    When,
    changed,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

TICKS = Variable("_symgrad_ticks")
READ = "_symgrad_tick"
FIRST_PLACE = 3
"""Before it, the ticks hold the clock's two numbers and the time of the last reading."""
PRODUCTS = ("gemm", "np.dot")


@dataclass(frozen=True)
class TimedStatement:
    """One statement of the step, or those of one group of equations: where its time is counted.

    `function` is the one it stands in, `equations` are written above it, `calls` names what it calls where
    there are none. In a `loop` over equal layers, numbered from 1, it is run `times` times.
    """

    function: str
    equations: tuple[str, ...]
    calls: str
    place: int
    times: int = 1
    loop: int = 0

    @property
    def is_product(self) -> bool:
        """Whether it is a product of matrices."""
        return self.calls in PRODUCTS


@dataclass(frozen=True)
class _Repeated:
    times: int = 1
    loop: int = 0


class StepClock:
    """Puts readings into the bodies of `drivers`, and keeps what each is of.

    Drivers hand the ticks to one another, and what they do themselves besides their statements is counted
    at `rest`. Whatever else they call is timed as a whole.
    """

    rest = FIRST_PLACE

    def __init__(self, drivers: Collection[str]) -> None:
        self.drivers = drivers
        self.statements: list[TimedStatement] = []
        self.next_place, self.loops = FIRST_PLACE + 2, 0

    def name(self, driver: str) -> str:
        """What the copy of a driver is called."""
        return f"_clocked{driver}"

    def over(self, function: str, body: Iterable[Instruction]) -> tuple[Instruction, ...]:
        """The body of a driver with readings: one at its start, then one behind every statement."""
        return (self._reading(self.rest), *self._clocked(function, body, _Repeated()))

    def _clocked(
        self, function: str, body: Iterable[Instruction], repeated: _Repeated
    ) -> Iterator[Instruction]:
        notes: list[str] = []
        for instruction in body:
            called = self._called(instruction)
            match instruction:
                case Note(text):
                    notes.append(text)
                    yield instruction
                    continue
                case ForRange() if called:
                    inside = self._clocked(function, instruction.body, self._repeated(instruction))
                    yield replace(instruction, body=tuple(inside))
                case When() if called:
                    inside = self._clocked(function, instruction.body, repeated)
                    yield replace(instruction, body=tuple(inside))
                case _:
                    yield changed(instruction, self._with_ticks)
                    if called or _stores(instruction):
                        yield self._reading(self._place(function, tuple(notes), called, repeated))
            notes.clear()

    def _place(
        self, function: str, equations: tuple[str, ...], called: list[str], repeated: _Repeated
    ) -> int:
        """A place of its own; a statement that says and calls nothing belongs to the one above it."""
        if set(called) & set(self.drivers):
            return self.rest
        last = self.statements[-1] if self.statements else None
        if not equations and not called and last is not None and last.function == function:
            return last.place
        calls, place = called[0] if called else "", self.next_place
        found = TimedStatement(function, equations, calls, place, repeated.times, repeated.loop)
        self.statements.append(found)
        self.next_place += 2
        return place

    def _repeated(self, loop: ForRange) -> _Repeated:
        """A loop over equal layers; one over batches, of which nobody knows the number, counts as none."""
        if not isinstance(loop.count, Literal):
            return _Repeated()
        self.loops += 1
        return _Repeated(int(loop.count.value), self.loops)

    def _called(self, instruction: Instruction) -> list[str]:
        """The functions of the module that an instruction calls for what they do."""
        if isinstance(instruction, Give):
            return []
        nodes = [node for node in walk(instruction) if isinstance(node, Invoke | Applied)]
        return [n.function for n in nodes if isinstance(n, Invoke) or n.function.startswith("_")]

    def _with_ticks(self, node: Any) -> Any:
        if isinstance(node, Invoke | Applied) and node.function in self.drivers:
            return replace(node, function=self.name(node.function), arguments=(TICKS, *node.arguments))
        return node

    def _reading(self, place: int) -> Invoke:
        return Invoke(READ, (TICKS, Literal(place)))


def _stores(instruction: Instruction) -> bool:
    """Whether an instruction, or one inside it, writes into an array."""
    nodes = walk(instruction)
    return any(
        isinstance(n, Clear) or (isinstance(n, Assign | Add) and isinstance(n.target, Cell)) for n in nodes
    )
