"""From sweeps to kernels: the text of the loops, as one compiled function each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.calculus.terms import Entry, entries, extent_symbol
from symgrad.compiler.kernels.loop_text import LoopText
from symgrad.compiler.planning.schedule import entries_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from symgrad.calculus.program import Equation, Loop, Program
    from symgrad.compiler.planning.plan import Block, Statement, Sweep

WRITTEN_OUT = range(4, 41)
START = {"sum": "real(0)", "max": "real(-np.inf)", "min": "real(np.inf)"}


@dataclass(frozen=True)
class Kernel:
    """The parts of a kernel's text: arguments are arrays, then the sizes of free axes."""

    arrays: tuple[str, ...]
    sizes: tuple[str, ...]
    lines: tuple[str, ...]


def kernel_of(
    sweep: Sweep,
    program: Program,
    names: Mapping[str, str],
    extents: Mapping[str, str],
    comment: Callable[[Equation], str] | None = None,
) -> Kernel:
    """The loops of a sweep, each under its equation; `names` are of tensors, `extents` of free axes."""
    return _Writer(sweep, program, names, extents, comment).kernel()


class KernelWriter(LoopText, ABC):
    """What all kernels share: arguments and reductions. A subclass writes the loops of its equations."""

    def __init__(
        self,
        equations: Sequence[Equation],
        local: frozenset[str],
        loops: Sequence[Loop],
        program: Program,
        names: Mapping[str, str],
        extents: Mapping[str, str],
        comment: Callable[[Equation], str] | None,
    ) -> None:
        self.equations, self.loops, self.program, self.comment = equations, loops, program, comment
        self.indices = [loop.index for loop in loops]
        super().__init__(self.indices, names, extents, local)
        self.arrays = self._arrays()
        self.sizes = self._sizes()
        self.symbols |= {extent_symbol(name): f"real({extents[name]})" for name in self.sizes}
        self.made = {e.target for e in equations}

    def kernel(self) -> Kernel:
        """The kernel of the equations."""
        self.write()
        if any("real(" in line for line in self.lines):
            self.lines.insert(0, f"real = {self._typed_array}.dtype.type")
        return Kernel(self.arrays, self.sizes, tuple(self.lines))

    @abstractmethod
    def write(self) -> None:
        """Write all lines."""

    def write_comments(self, equations: Iterable[Equation]) -> None:
        """The equations as mathematics, each in a line."""
        if self.comment is not None:
            self.lines += ["    " * self.depth + f"# {self.comment(e)}" for e in equations]

    def _arrays(self) -> tuple[str, ...]:
        read = [e.tensor for e in entries_of(self.equations)]
        tensors = dict.fromkeys([*read, *(e.target for e in self.equations)])
        return tuple(t for t in tensors if t not in self.local)

    def _sizes(self) -> tuple[str, ...]:
        inside = {s.name for e in self.equations for s in e.body.free_symbols if s.is_positive}
        free = [loop.axis.name for loop in self.loops if loop.axis.size is None]
        return tuple(dict.fromkeys([n for n in free if n] + sorted(inside - set(free))))

    @property
    def _typed_array(self) -> str:
        """An array of the arithmetic type."""
        return self.names[next(a for a in self.arrays if not self.program.tensor[a].is_integer)]

    def reduce(self, accumulator: str, equation: Equation, body: str) -> None:
        """Take one more value into a sum, a maximum or a minimum."""
        if equation.reduction == "sum":
            self.put(f"{accumulator} += {body}")
            return
        self.put(f"{accumulator} = {equation.reduction}imum({accumulator}, {body})")


class _Writer(KernelWriter):
    def __init__(
        self,
        sweep: Sweep,
        program: Program,
        names: Mapping[str, str],
        extents: Mapping[str, str],
        comment: Callable[[Equation], str] | None,
    ) -> None:
        self.sweep = sweep
        super().__init__(sweep.equations, sweep.local, _loops(sweep), program, names, extents, comment)

    def write(self) -> None:
        self.hoist([e.body for e in self.sweep.equations], set(self.indices), self.made, "s")
        totals = [s for b in self.sweep.blocks for s in b.statements if s.mode == "total"]
        for statement in totals:
            self.put(f"{self._total(statement)} = 0.0")
        for equation in self.sweep.equations:
            if self._accumulates(equation):
                self.put(f"{self.names[equation.target]}[:] = 0")
        if self.sweep.row is not None:
            self.loop(self.sweep.row)
        before = dict(self.symbols)
        for block in self.sweep.blocks:
            self._block(block)
            self.forget(before)
        self.depth = 0
        for statement in totals:
            self.put(f"{self._entry_of(statement.equation)} = real({self._total(statement)})")

    def _accumulates(self, equation: Equation) -> bool:
        """Sums over all rows, and sums at computed places, start from an array of zeros."""
        if not equation.is_plain:
            return True
        row = self.sweep.row
        over_rows = row is not None and row.index not in equation.indices
        return over_rows and bool(equation.indices) and equation.reduction == "sum"

    def _total(self, statement: Statement) -> str:
        return f"total_{self.names[statement.equation.target]}"

    def _entry_of(self, equation: Equation) -> str:
        return self.entry(Entry(equation.target, equation.indices))

    def _block(self, block: Block) -> None:
        depth = self.depth
        self.printer.vectorised = not self.sweep.is_once_a_row(block)
        self.write_comments(s.equation for s in block.statements)
        if block.statements[0].mode == "general":
            self._general(block.statements[0].equation, block.loops)
            self.depth = depth
            return
        made = {s.equation.target for s in block.statements}
        if block.loops:
            inner = {loop.index for loop in block.loops}
            self.hoist([s.equation.body for s in block.statements], inner, made, "c")
        per_row = [s.equation for s in block.statements if s.mode == "row"]
        for equation in per_row:
            self.put(f"acc_{self.names[equation.target]} = {START[equation.reduction]}")
        for loop in block.loops:
            self.loop(loop, self._size_at_run_time(loop, block))
        self.share_calls([s.equation.body for s in block.statements], made)
        for statement in block.statements:
            self._statement(statement)
        self.depth = depth
        for equation in per_row:
            self.put(f"{self._entry_of(equation)} = acc_{self.names[equation.target]}")

    def _size_at_run_time(self, loop: Loop, block: Block) -> str:
        """The size of a short axis as an array knows it that has this very axis: `A1.shape[1]`.

        LLVM writes loops of a few known rounds out, one entry after another, before it could vectorise them.
        """
        if loop.axis.size not in WRITTEN_OUT:
            return ""
        equations = [s.equation for s in block.statements]
        targets = (Entry(e.target, e.indices) for e in equations)
        for entry in (*targets, *entries_of(equations)):
            axes = self.program.tensor[entry.tensor].axes
            for number, (index, axis) in enumerate(zip(entry.indices, axes, strict=True)):
                if index == loop.index and axis.fits(loop.axis) and entry.tensor not in self.local:
                    return f"{self.names[entry.tensor]}.shape[{number}]"
        return ""

    def _statement(self, statement: Statement) -> None:
        equation = statement.equation
        body = self.printer(equation.body)
        match statement.mode:
            case "each":
                self.put(f"{self._entry_of(equation)} = {body}")
            case "row":
                self.reduce(f"acc_{self.names[equation.target]}", equation, body)
            case "columns":
                self.put(f"{self._entry_of(equation)} += {body}")
            case "total":
                self.put(f"{self._total(statement)} += {body}")

    def _general(self, equation: Equation, loops: tuple[Loop, ...]) -> None:
        """Any reduction: in one accumulator where its terms lie side by side, else over whole rows."""
        target = self._entry_of(equation)
        if self._accumulates(equation):
            for loop in loops:
                self.loop(loop)
            self.put(f"{target} += {self.printer(equation.body)}")
            return
        free = [loop for loop in loops if loop.index in equation.indices]
        bound = [loop for loop in loops if loop.index not in equation.indices]
        if equation.reduction == "none":
            for loop in free:
                self.loop(loop)
            self.put(f"{target} = {self.printer(equation.body)}")
            return
        if free and equation.reduction == "sum" and _lies_along(equation, free[-1], bound[-1]):
            self._row_of_sums(equation, free, bound)
            return
        for loop in free:
            self.loop(loop)
        depth = self.depth
        self.put(f"acc = {START[equation.reduction]}")
        for loop in bound:
            self.loop(loop)
        self.reduce("acc", equation, self.printer(equation.body))
        self.depth = depth
        self.put(f"{target} = acc")

    def _row_of_sums(self, equation: Equation, free: list[Loop], bound: list[Loop]) -> None:
        *outer, last = free
        for loop in outer:
            self.loop(loop)
        depth = self.depth
        self.loop(last)
        self.put(f"{self._entry_of(equation)} = real(0)")
        self.depth = depth
        for loop in bound:
            self.loop(loop)
        self.hoist([equation.body], {last.index}, {equation.target}, "c")
        self.loop(last)
        self.put(f"{self._entry_of(equation)} += {self.printer(equation.body)}")


def _loops(sweep: Sweep) -> list[Loop]:
    row = [sweep.row] if sweep.row is not None else []
    return [*row, *(loop for block in sweep.blocks for loop in block.loops)]


def _lies_along(equation: Equation, free: Loop, bound: Loop) -> bool:
    """Whether the tensors read lie side by side along the free loop rather than the reduced one."""
    lasts = [e.indices[-1] for e in entries(equation.body) if e.indices]
    return lasts.count(free.index) > lasts.count(bound.index)
