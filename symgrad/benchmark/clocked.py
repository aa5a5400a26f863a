"""A copy of an emitted module that reads a clock after every statement of its step."""

from __future__ import annotations

import ast
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DRIVERS = ("_forward", "_loss", "_backward", "_gradient", "_gradient_in_pieces", "_step", "_epoch")
"""The functions whose statements are timed one by one; whatever else they call is timed as a whole."""

VIEWS = ("view",)
"""What names a part of the memory: no work of its own."""

PRODUCTS = ("gemm", "np.dot")

FIRST_PLACE = 3
"""Before it, its ticks holds the clock's two numbers and the time of the last reading."""

_CLOCK = """

_symgrad_clock = types.ExternalFunction("clock_gettime", types.intc(types.intc, types.CPointer(types.int64)))
_symgrad_ticks = np.zeros({places}, np.int64)


@compiled
def _symgrad_tick(_symgrad_ticks, place):
    _symgrad_clock({clock}, _symgrad_ticks.ctypes)
    now = _symgrad_ticks[0] * 1_000_000_000 + _symgrad_ticks[1]
    _symgrad_ticks[place] += now - _symgrad_ticks[2]
    _symgrad_ticks[place + 1] += 1
    _symgrad_ticks[2] = now


@compiled
def _symgrad_ticks_cost(_symgrad_ticks, times):
    for _ in range(times):
        _symgrad_tick(_symgrad_ticks, {rest})


"""


@dataclass(frozen=True)
class TimedStatement:
    """One statement of the step, or those of one group of equations: where its time is counted.

    `function` is the one it stands in, `equations` are written above it, `calls` names what it calls where
    there are none. In a `loop` over equal layers, named by its line, it is run `times` times.
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
class ClockedText:
    """The text of the copy, what is timed in it, and the place of the time between."""

    text: str
    statements: tuple[TimedStatement, ...]
    rest: int


def can_clock() -> bool:
    """Whether the system has the clock that the copy reads."""
    return os.name == "posix"


def clocked(text: str) -> ClockedText:
    """The copy of a module's text, and what stands where in it."""
    tree = ast.parse(text)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    lines = text.split("\n")
    reader = _Reader(lines, _names_of(tree))
    added: dict[int, str] = {}
    for function in functions:
        if function.name in DRIVERS:
            reader.read(function)
            added[_start_of(function)] = f"    _symgrad_tick(_symgrad_ticks, {reader.rest})"
    added |= reader.added
    copy = [part for n, line in enumerate(lines, 1) for part in (line, *([added[n]] if n in added else []))]
    drivers = "|".join(DRIVERS)
    passed = [re.sub(rf"\b({drivers})\(", r"\1(_symgrad_ticks, ", line) for line in copy]
    clock = _CLOCK.format(
        places=reader.next_place,
        clock=getattr(time, "CLOCK_MONOTONIC", 1),
        rest=reader.rest,
    )
    return ClockedText("\n".join([*passed, clock]), tuple(reader.statements), reader.rest)


def _names_of(tree: ast.Module) -> frozenset[str]:
    """What a module defines: the functions its statements may call."""
    functions = (node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    targets = (target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets)
    return frozenset((*functions, *(target.id for target in targets if isinstance(target, ast.Name))))


def _start_of(function: ast.FunctionDef) -> int:
    """The line after which the body begins: that of the docstring's end."""
    return function.body[0].end_lineno or function.lineno


class _Loop(NamedTuple):
    times: int
    line: int


_ONCE = _Loop(1, 0)


class _Reader:
    """Finds the statements of functions in their order, with the comments above them."""

    def __init__(self, lines: Sequence[str], names: frozenset[str]) -> None:
        self.lines, self.names = lines, names
        self.rest, self.next_place = FIRST_PLACE, FIRST_PLACE + 2
        self.statements: list[TimedStatement] = []
        self.added: dict[int, str] = {}

    def read(self, function: ast.FunctionDef) -> None:
        for statement, loop in self._timed(function.body[1:], _ONCE):
            called = self._called(statement)
            equations = self._comments_above(statement)
            place = self.rest
            if not set(called) & set(DRIVERS):
                place = self._place(function.name, equations, called[0] if called else "", loop)
            indent = " " * statement.col_offset
            self.added[statement.end_lineno or 0] = f"{indent}_symgrad_tick(_symgrad_ticks, {place})"

    def _place(self, function: str, equations: tuple[str, ...], calls: str, loop: _Loop) -> int:
        """A place of its own; a statement without a comment belongs to the one above it."""
        last = self.statements[-1] if self.statements else None
        if not equations and not calls and last is not None and last.function == function:
            return last.place
        self.statements.append(TimedStatement(function, equations, calls, self.next_place, *loop))
        self.next_place += 2
        return self.next_place - 2

    def _timed(self, body: Sequence[ast.stmt], loop: _Loop) -> Iterator[tuple[ast.stmt, _Loop]]:
        for statement in body:
            calls = self._called(statement)
            match statement:
                case ast.For(iter=ast.Call(func=ast.Name("range"), args=arguments)) if calls:
                    yield from self._timed(statement.body, _loop(statement, arguments))
                case ast.If() if calls:
                    yield from self._timed([*statement.body, *statement.orelse], loop)
                case ast.Return():
                    pass
                case _ if calls or _stores(statement):
                    yield statement, loop

    def _called(self, statement: ast.stmt) -> list[str]:
        """The module's own functions that a statement calls, and NumPy's product."""
        calls = [node.func for node in ast.walk(statement) if isinstance(node, ast.Call)]
        own = [f.id for f in calls if isinstance(f, ast.Name) and f.id in self.names - set(VIEWS)]
        return own + ["np.dot" for f in calls if isinstance(f, ast.Attribute) and f.attr == "dot"]

    def _comments_above(self, statement: ast.stmt) -> tuple[str, ...]:
        found: list[str] = []
        number = statement.lineno - 2
        while self.lines[number].lstrip().startswith("# "):
            found.insert(0, self.lines[number].lstrip()[2:])
            number -= 1
        return tuple(found)


def _loop(statement: ast.For, arguments: Sequence[ast.expr]) -> _Loop:
    """A loop over equal layers; one over batches, whose number the text does not say, counts as none."""
    match arguments:
        case [ast.Constant(int(number))]:
            return _Loop(number, statement.lineno)
    return _ONCE


def _stores(statement: ast.stmt) -> bool:
    """Whether a statement, or one inside it, writes into an array."""
    targets = [t for n in ast.walk(statement) if isinstance(n, ast.Assign) for t in n.targets]
    targets += [n.target for n in ast.walk(statement) if isinstance(n, ast.AugAssign)]
    return any(isinstance(target, ast.Subscript) for target in targets)
