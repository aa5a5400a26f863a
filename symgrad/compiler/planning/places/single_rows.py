"""Tensors of which a nest over rows needs one row at a time: the next row lies where the last one did.

A copy of windows that is multiplied in the same turn of the loop over rows is one. Its row stays in the
cache, whatever the number of rows. So are the values that each part of a recurrence makes and needs alone,
and what a recurrence hands from each step to the next, if nothing needs more of it later than its last step.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import Entry, entries, indices_in
from symgrad.compiler.planning.loop_orders import ROW
from symgrad.compiler.planning.plan import LoopNest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from symgrad.calculus.program import Equation, Program, Tensor
    from symgrad.compiler.planning.plan import Phase, Plan, Step

_HIDDEN = ("value", "derivative", "temporary", "cotangent")


def held_by_rows(program: Program, phases: Iterable[Phase]) -> frozenset[str]:
    """The tensors made and used in the same turns of one loop over rows, and wanted by nobody else."""
    steps = [step for phase in phases for step in phase.steps]
    nests = [step for step in steps if isinstance(step, LoopNest)]
    made = Counter(equation.target for step in steps for equation in step.equations)
    made.update(tensor.name for nest in nests for tensor in nest.all_carried)
    rows = Counter(name for nest in nests for name in {*_rows_of(program, nest)})
    found = {name for name, times in rows.items() if times == made[name]}
    chained = [(e.onto, e.target) for e in program.equations if e.onto]
    while apart := {name for pair in chained if not found.issuperset(pair) for name in pair} & found:
        found -= apart
    return frozenset(found)


def _rows_of(program: Program, nest: LoopNest) -> Iterator[str]:
    if len(nest.loops) != 1 or not any(isinstance(part, LoopNest) for part in nest.body):
        return
    yield from _handed_on(program, nest)
    for equation in nest.equations:
        tensor = program.tensor[equation.target]
        is_alone = tensor.kind in _HIDDEN and tensor.name not in program.results
        stays = _stays(program, nest, tensor) and tensor.name not in nest.local
        if is_alone and stays and _is_made_in_turns(equation):
            yield tensor.name


def _handed_on(program: Program, nest: LoopNest) -> Iterator[str]:
    """What is carried from step to step, in each part too if there are parts, and what that is made of."""
    for tensor in nest.all_carried:
        carried = program.carried[tensor.name]
        source = program.tensor[carried.source]
        is_made_here = source.name in {e.target for e in nest.equations} - program.asked_for
        if is_made_here and source.kind in _HIDDEN and _stays(program, nest, source, _last_row(nest)):
            yield source.name
        counts_turns = tensor not in nest.carried or carried.along == 0
        if counts_turns and _stays(program, nest, tensor):
            yield tensor.name


def _stays(program: Program, nest: LoopNest, tensor: Tensor, last: sp.Expr | None = None) -> bool:
    """Whether only a nest reads a tensor of several axes, in each turn of its loop the row of that alone.

    Others may read the `last` row that is made, if there is one.
    """
    readers = {e.target for e in program.equations if tensor.name in e.reads}
    readers |= {name for name, carried in program.carried.items() if tensor.name in carried.reads}
    inside = {*(e.target for e in nest.equations), *(t.name for t in nest.all_carried)}
    in_rows = all(map(_is_of_row, _accesses(nest.equations, tensor.name)))
    outside = readers - inside
    later = _accesses((e for e in program.equations if e.target in outside), tensor.name)
    stays = not outside & program.carried.keys() and all(entry.indices[:1] == (last,) for entry in later)
    return stays and len(tensor.axes) > 1 and in_rows


def _last_row(nest: LoopNest) -> sp.Expr | None:
    """The index of the row that the loop of a recurrence over all of its steps makes last, if it is known."""
    (axis,) = (loop.axis for loop in nest.loops)
    if not nest.carried or axis.of_parts or axis.size is None:
        return None
    return sp.Integer(0 if nest.back else axis.size - 1)


def row_to_take(plan: Plan, nest: Step, equation: Equation, placed: Iterable[str]) -> str | None:
    """A tensor of this nest, of one row and the same shape, that is read no more when the equation begins.

    Both are one array then, in different parts of a turn.
    """
    if equation.target not in plan.by_rows or not isinstance(nest, LoopNest):
        return None
    part = next(n for n, part in enumerate(nest.body) if equation in _equations(part))
    read_later = {
        name for later in nest.body[part:] for e in _equations(later) for name in (e.target, *e.reads)
    }
    extents = [axis.extent for axis in plan.axes_in_memory(equation.target)]
    made = {e.target for e in nest.equations} & plan.by_rows - read_later
    same_shape = (n for n in placed if [axis.extent for axis in plan.axes_in_memory(n)] == extents)
    return next((name for name in same_shape if name in made), None)


def _equations(part: LoopNest | Equation) -> tuple[Equation, ...]:
    return part.equations if isinstance(part, LoopNest) else (part,)


def _is_made_in_turns(equation: Equation) -> bool:
    """Whether each turn makes a row from its beginning on: a sum of scattered terms in loops of its own."""
    return not equation.scatters or len(equation.loops) > 1


def _accesses(equations: Iterable[Equation], name: str) -> Iterator[Entry]:
    for equation in equations:
        for expr in (Entry(equation.target, equation.indices), equation.body):
            yield from (entry for entry in entries(expr) if entry.tensor == name)
        yield from (Entry(name, equation.indices) for _ in range(equation.onto == name))


def _is_of_row(entry: Entry) -> bool:
    return entry.indices[:1] == (ROW,) and all(ROW not in indices_in(index) for index in entry.indices[1:])
