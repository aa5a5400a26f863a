"""From a program to phases of steps: products for BLAS, and sweeps that fuse what shares its rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.contraction import as_contraction, as_product
from symgrad.calculus.program import Equation, Loop, Program
from symgrad.calculus.terms import Entry, entries, index_symbol
from symgrad.compiler.planning.plan import (
    Block,
    Carry,
    Mode,
    Phase,
    PhaseName,
    Product,
    Scalar,
    Statement,
    Step,
    Sweep,
)
from symgrad.compiler.planning.samples_innermost import ROW, column_steps, stays_inside

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

LOOK_AHEAD = 8


def schedule(program: Program, columns: str = "") -> tuple[Phase, ...]:
    """The phases of a program, each needing only those before it; only the prediction is needed by none.

    What takes in a gradient, maybe the parameters, is formed after the last use of its parameter. Where
    `columns` names an axis, tensors are stored by columns along it.
    """
    wanted: list[tuple[PhaseName, tuple[str, ...]]] = [
        ("forward", (*program.outputs, *_slopes_of_values(program))),
        ("prediction", program.prediction),
        ("loss", (program.loss,) if program.loss else ()),
        ("gradient", tuple(g.name for g in program.gradients)),
    ]
    done: set[str] = set()
    phases, carried = [], program.carried
    for name, results in wanted:
        needed = program.needed(results) - done
        if name != "prediction":
            done |= needed
        equations = [e for e in program.equations if e.target in needed]
        if carried and name == "gradient":
            equations = _after_uses_of_parameters(program, equations, carried)
        if columns:
            steps = column_steps(program, equations, columns)
        else:
            steps = list(_with_locals(program, list(_steps(equations, carried))))
        phases.append(Phase(name, tuple(steps)))
    return tuple(phases)


def _slopes_of_values(program: Program) -> Iterator[str]:
    """Slopes that are formed where a value of the network is."""
    needed = program.needed(program.outputs)
    for slope in program.of_kind("slope"):
        if program.definition[slope.name].reads <= needed:
            yield slope.name


def _after_uses_of_parameters(
    program: Program, equations: Sequence[Equation], carried: Collection[str]
) -> list[Equation]:
    """The equations with the carried gradient of every parameter behind all that read the parameter."""
    source = {g.name: g.of for g in program.gradients if g.name in carried}
    ordered: list[Equation] = []
    waiting = list(equations)
    while waiting:
        left_waiting: set[str] = set()
        for number, equation in enumerate(waiting):
            others = (e for e in waiting if e is not equation)
            is_read = equation.target in source and any(source[equation.target] in e.reads for e in others)
            if not is_read and not equation.reads & left_waiting:
                ordered.append(waiting.pop(number))
                break
            left_waiting.add(equation.target)
    return ordered


def _steps(equations: Sequence[Equation], carried: Collection[str]) -> Iterator[Step]:
    """Steps in order; a sweep also takes equations from a little further down that are ready by then."""
    waiting = list(equations)
    while waiting:
        first = waiting.pop(0)
        contraction = as_product(first)
        if contraction is not None:
            yield Product(first, contraction)
        elif first.target in carried:
            yield Carry(first)
        elif first.is_one_number:
            yield Scalar(first)
        else:
            sweep = _Sweep(first)
            while (found := _joining(sweep, waiting, carried)) is not None:
                waiting.remove(found)
            yield sweep.close()


def _joining(sweep: _Sweep, waiting: Sequence[Equation], carried: Collection[str]) -> Equation | None:
    """The next equation taken by the sweep that does not need one left waiting before it."""
    left_waiting: set[str] = set()
    for equation in waiting[:LOOK_AHEAD]:
        if equation.target not in carried and not equation.reads & left_waiting and sweep.take(equation):
            return equation
        left_waiting.add(equation.target)
    return None


class _Sweep:
    """A sweep that grows as long as the next equation can be computed in the same pass over the rows."""

    def __init__(self, first: Equation) -> None:
        self.row = _best_row(first)
        self.by_row: dict[str, bool] = {}
        self.blocks: list[Block] = []
        self._append(first, self.row)

    def take(self, equation: Equation) -> bool:
        """Add the equation if it fits."""
        contraction = as_contraction(equation)
        if self.row is None or not equation.is_plain or (contraction is not None and not contraction.batch):
            return False
        for loop in equation.loops:
            if loop.axis.fits(self.row.axis) and self._may_run_over(equation, loop):
                self._append(equation, loop)
                return True
        return False

    def _may_run_over(self, equation: Equation, row: Loop) -> bool:
        if not _can_be_row(equation, row):
            return False
        return all(
            self.by_row[entry.tensor] and bool(entry.indices) and entry.indices[0] == row.index
            for entry in entries(equation.body)
            if entry.tensor in self.by_row
        )

    def _append(self, equation: Equation, row: Loop | None) -> None:
        self.by_row[equation.target] = row is not None and equation.indices[:1] == (row.index,)
        inner = _inner_loops(equation, row)
        renamed = {loop.index: index_symbol(f"_i{number}") for number, loop in enumerate(inner)}
        if row is not None:
            renamed[row.index] = ROW
        equation = Equation(
            equation.target,
            tuple(p.xreplace(renamed) for p in equation.indices),
            tuple(Loop(renamed[loop.index], loop.axis) for loop in equation.loops),
            equation.reduction,
            equation.body.xreplace(renamed),
        )
        loops = tuple(Loop(renamed[loop.index], loop.axis) for loop in inner)
        statement = Statement(equation, _mode(equation, loops, row is not None))
        last = self.blocks[-1] if self.blocks else None
        if last is not None and _shares_loops(last, loops, statement):
            self.blocks[-1] = replace(last, statements=(*last.statements, statement))
        else:
            self.blocks.append(Block(loops, (statement,)))

    def close(self) -> Sweep:
        row = Loop(ROW, self.row.axis) if self.row is not None else None
        return Sweep(row, tuple(self.blocks))


def _can_be_row(equation: Equation, loop: Loop) -> bool:
    if not equation.is_plain:
        return False
    if loop.index in equation.indices:
        return bool(equation.indices[0] == loop.index)
    return equation.reduction == "sum"


def _best_row(equation: Equation) -> Loop | None:
    """The loop over the rows of most tensors read, the target's own rows at a tie."""
    possible = [loop for loop in equation.loops if _can_be_row(equation, loop)]
    firsts = [e.indices[0] for e in entries(equation.body) if e.indices]

    def rank(loop: Loop) -> tuple[int, bool]:
        return firsts.count(loop.index), loop.index in equation.indices

    return max(possible, key=rank) if possible else None


def _inner_loops(equation: Equation, row: Loop | None) -> tuple[Loop, ...]:
    """The other loops: those of the target's entries in order, then those that are reduced."""
    free = [loop for loop in equation.free if loop != row] if equation.is_plain else []
    return (*free, *(loop for loop in equation.loops if loop != row and loop not in free))


def _mode(equation: Equation, inner: tuple[Loop, ...], has_row: bool) -> Mode:
    indices = tuple(loop.index for loop in inner)
    if not has_row or equation.reduction not in ("none", "sum", "max", "min"):
        return "general"
    if equation.is_elementwise:
        return "each"
    if equation.indices == (ROW,):
        return "row"
    if equation.reduction != "sum":
        return "general"
    if equation.indices == indices and indices:
        return "columns"
    return "total" if not equation.indices else "general"


def _shares_loops(block: Block, loops: tuple[Loop, ...], statement: Statement) -> bool:
    if len(block.loops) != len(loops) or statement.mode == "general":
        return False
    if not all(a.axis.fits(b.axis) for a, b in zip(block.loops, loops, strict=True)):
        return False
    made = {s.equation.target: s for s in block.statements}
    if any(s.mode == "general" for s in made.values()):
        return False
    return all(
        made[e.tensor].mode == "each" and e.indices == made[e.tensor].equation.indices
        for e in entries(statement.equation.body)
        if e.tensor in made
    )


def _with_locals(program: Program, steps: Sequence[Step]) -> Iterator[Step]:
    """Mark what is made and used in one block only: it needs no memory."""
    for step in steps:
        if not isinstance(step, Sweep):
            yield step
            continue
        local: set[str] = set()
        for block in step.blocks:
            inside = {s.equation.target for s in block.statements}
            for statement in block.statements:
                name = statement.equation.target
                if statement.mode == "each" and stays_inside(program, name, inside):
                    local.add(name)
        yield replace(step, local=frozenset(local))


def entries_of(equations: Iterable[Equation]) -> Iterator[Entry]:
    """Every entry the equations read, those in places too."""
    for equation in equations:
        yield from entries(equation.body)
        for place in equation.indices:
            yield from entries(place)
