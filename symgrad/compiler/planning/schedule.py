"""From a program to phases of steps: products for BLAS, and loops that fuse what shares its rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.contraction import (
    as_contraction,
    as_product,
    as_stacked_product,
    is_plain,
    is_worth_a_call,
)
from symgrad.calculus.program import Equation, Loop, Program
from symgrad.calculus.terms import Entry, drawn, entries
from symgrad.compiler.planning.loop_orders import (
    AROUND,
    ROW,
    STEP,
    numbered,
    run_alike,
    run_over,
    with_locals,
)
from symgrad.compiler.planning.needed_steps import rows_of_gradient
from symgrad.compiler.planning.plan import (
    Accumulate,
    Draw,
    LoopNest,
    Phase,
    PhaseName,
    Product,
    Scalar,
    Step,
)
from symgrad.compiler.planning.samples_innermost import sample_innermost_steps
from symgrad.passes.memory.fed_steps import feeding, leading
from symgrad.passes.recurrences import Recurrence, in_order
from symgrad.passes.scattering.tilings import moves_alone

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    import sympy as sp

    from symgrad.passes.recurrences import Part

LOOK_AHEAD = 8


def schedule(program: Program, columns: str = "", told: Collection[str] = ()) -> tuple[Phase, ...]:
    """The phases of a program, each needing only those before it; only the prediction is needed by none.

    Where training and inference differ, an evaluation follows the forward pass, and the loss begins anew.
    What a gradient is added to, maybe the parameters, is formed after the last use of its parameter. Where
    `columns` names an axis, tensors are stored by columns along it. No step both forms and reads what ranks
    have `told` each other in between.
    """
    turns = _turns_of(program, told)
    done: set[str] = set()
    phases, accumulated = [], program.accumulated
    part = _beginning_with(program, "forward")
    for name, results in _wanted(program):
        if name == "loss" and program.evaluation:
            done, part = set(), _beginning_with(program, "loss")
        made, needed = done & program.carried.keys(), program.needed(results) - done
        if name not in ("prediction", "evaluation"):
            done |= needed
        equations = _products_first([e for e in program.equations if e.target in needed])
        if accumulated and name == "gradient":
            equations = _after_uses(equations, _read_until_formed(program))
        steps: list[Step] = []
        for turn in sorted({turns[e.target] for e in equations}):
            own = [e for e in equations if turns[e.target] == turn]
            if columns:
                steps += sample_innermost_steps(part, own, columns)
            else:
                steps += steps_by_rows(part, own, made | _handed_on(steps))
        phases.append(Phase(name, tuple(steps)))
    return _with_same_locals(phases)


def _handed_on(steps: Iterable[Step]) -> set[str]:
    """What is carried from turn to turn of their loops."""
    return {tensor.name for step in steps if isinstance(step, LoopNest) for tensor in step.all_carried}


def _turns_of(program: Program, told: Collection[str]) -> dict[str, int]:
    """How many times ranks have told each other something before each tensor can be formed.

    Where they would do so between the steps of a recurrence, all counts as formed in one turn.
    """
    turns = dict.fromkeys((*(e.target for e in program.equations), *program.carried), 0)
    for _ in (*told, *program.carried):
        before = dict(turns)
        for name, carried in program.carried.items():
            turns[name] = max(turns.get(read, 0) + (read in told) for read in carried.reads)
        for equation in program.equations:
            found = (turns.get(read, 0) + (read in told) for read in equation.reads)
            turns[equation.target] = max(found, default=0)
        if turns == before:
            return turns
    return turns if not program.carried else dict.fromkeys(turns, 0)


def _with_same_locals(phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """The phases, where a tensor that needs memory in one of several nests that make it has it in all."""
    nests = [step for phase in phases for step in phase.steps if isinstance(step, LoopNest)]
    placed = {e.target for nest in nests for e in nest.equations if e.target not in nest.local}

    def told(step: Step) -> Step:
        return replace(step, local=step.local - placed) if isinstance(step, LoopNest) else step

    return tuple(replace(phase, steps=tuple(map(told, phase.steps))) for phase in phases)


def _beginning_with(program: Program, phase: PhaseName) -> Program:
    """The program with the equations alone that phases from this one on need, before all begins anew."""
    if not program.evaluation:
        return program
    learns = phase == "loss"
    results = (
        r for name, found in _wanted(program) if (name in ("loss", "gradient")) == learns for r in found
    )
    needed = program.needed(results)
    return replace(program, equations=tuple(e for e in program.equations if e.target in needed))


def _wanted(program: Program) -> Iterator[tuple[PhaseName, tuple[str, ...]]]:
    """What each phase is for."""
    slopes = tuple(_derivatives_of_values(program))
    loss = (program.loss,) if program.loss else ()
    yield "forward", program.outputs if program.evaluation else (*program.outputs, *slopes)
    yield "prediction", program.prediction
    if program.evaluation:
        yield "evaluation", (program.evaluation,)
    yield "loss", (*loss, *slopes) if program.evaluation else loss
    yield "gradient", (*(g.name for g in program.gradients), *(n.equation for n in program.next_values))


def _derivatives_of_values(program: Program) -> Iterator[str]:
    """Slopes that are formed where a value of the network is, of those that are formed at all."""
    needed = program.needed(program.outputs)
    if program.evaluation and program.loss:
        needed = program.needed([program.loss])
    for derivative in program.of_kind("derivative"):
        formed = program.definition.get(derivative.name)
        if formed and formed.reads <= needed:
            yield derivative.name


def _products_first(equations: Sequence[Equation]) -> list[Equation]:
    """The equations in turns: products of matrices as soon as they can be formed, then all between them.

    So what several of them are needed for, the slopes of a layer and the layer itself, stands together and is
    made in one pass. What needs nothing that is made here, as copies of windows do, waits for its first use;
    numbers are drawn before the pass that uses them.
    """
    turn: dict[str, int] = {}
    for equation in equations:
        before = max((turn.get(name, 0) for name in (*equation.reads, equation.onto)), default=0)
        turn[equation.target] = before + (as_product(equation) is not None)
    wanted: dict[str, int] = {}
    for equation in reversed(equations):
        is_product, own = as_product(equation) is not None, equation.target
        if not is_product and not equation.reads & turn.keys():
            turn[own] = wanted.get(own, turn[own])
        for name in (*equation.reads, equation.onto):
            wanted[name] = min(wanted.get(name, turn[own]), turn[own] - is_product)
    return sorted(
        equations, key=lambda e: (turn[e.target], as_product(e) is None, not isinstance(e.body, drawn))
    )


def _read_until_formed(program: Program) -> dict[str, str]:
    """What is formed in the memory of a parameter or a state, maybe, and that."""
    found = {g.name: g.of for g in program.gradients if g.name in program.accumulated}
    return found | {renewed: state for state, renewed in program.renewed.items()}


def _after_uses(equations: Sequence[Equation], source: Mapping[str, str]) -> list[Equation]:
    """The equations with each that has a `source`, which it may overwrite, behind all that read this."""
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


def steps_by_rows(
    program: Program, equations: Sequence[Equation], made: Collection[str] = ()
) -> Iterator[Step]:
    """Steps in order, each recurrence in one; what is carried from step to step may be `made` before."""
    between: list[Equation] = []
    parts = list(in_order(program, equations, made))
    taken: set[str] = set()
    for number, part in enumerate(parts):
        if isinstance(part, Recurrence):
            behind = list(_up_to_recurrence(parts[number + 1 :]))
            whole = leading(program, feeding(program, part, between), behind)
            yield from _steps_between(program, [e for e in between if e.target not in whole.steps])
            yield _steps_of(program, whole)
            between, taken = [], taken | whole.steps.keys()
        elif part.target not in taken:
            between.append(part)
    yield from _steps_between(program, between)


def _up_to_recurrence(parts: Sequence[Part]) -> Iterator[Equation]:
    for part in parts:
        if isinstance(part, Recurrence):
            return
        yield part


def _steps_of(program: Program, recurrence: Recurrence) -> LoopNest:
    """A recurrence as one loop over its steps, or over its parts."""
    rows = _Rows(Loop(ROW, recurrence.axis))
    for part in recurrence.inside or recurrence.equations:
        if isinstance(part, Recurrence):
            rows.parts.append(_of_a_part(program, rows, recurrence, part))
        else:
            rows.append(part, _loop_of(recurrence, part))
    return with_locals(program, _handing_on(program, recurrence, rows.close()))


def _of_a_part(program: Program, rows: _Rows, whole: Recurrence, inner: Recurrence) -> LoopNest:
    """A recurrence that each part has, as a loop over its steps there."""
    steps = _Rows(Loop(STEP, inner.axis), rows.around)
    for equation in inner.equations:
        steps.append(equation, _loop_of(inner, equation), _loop_of(whole, equation))
    return _handing_on(program, inner, steps.close())


def _loop_of(recurrence: Recurrence, equation: Equation) -> Loop:
    return next(loop for loop in equation.loops if loop.index == recurrence.steps[equation.target])


def _handing_on(program: Program, recurrence: Recurrence, nest: LoopNest) -> LoopNest:
    """The nest with what it hands on: what is carried two steps first, which reads what is carried one."""
    behind = sorted(recurrence.carried, key=lambda name: -_steps_carried(program, name))
    return replace(nest, carried=tuple(program.tensor[name] for name in behind), back=recurrence.back)


def _steps_carried(program: Program, name: str) -> int:
    """How many steps a tensor is carried, which may be handed on by others that are carried."""
    carried = program.carried.get(name)
    return 0 if carried is None else 1 + _steps_carried(program, carried.source)


def _steps_between(program: Program, equations: Sequence[Equation]) -> Iterator[Step]:
    """Steps in order; a nest also takes equations from a little further down that are ready by then."""
    waiting, accumulated = list(equations), program.accumulated
    apart = {*accumulated, *program.renewed.values()}
    while waiting:
        first = waiting.pop(0)
        contraction = as_product(first)
        if contraction is not None:
            yield Product(first, contraction)
        elif first.target in accumulated:
            (gradient,) = first.reads
            is_alone = sum(gradient in e.reads for e in program.equations) == 1
            yield Accumulate(first, rows_of_gradient(program, gradient) if is_alone else "")
        elif isinstance(first.body, drawn):
            yield Draw(first)
        elif first.is_one_number:
            yield Scalar(first)
        else:
            rows = _Rows(_best_row(first))
            rows.append(first, rows.row)
            while first.target not in apart and (found := _joining(rows, waiting, apart)) is not None:
                waiting.remove(found)
            yield with_locals(program, rows.close())


def _joining(rows: _Rows, waiting: Sequence[Equation], apart: Collection[str]) -> Equation | None:
    """The next equation taken by the nest that does not need one left waiting before it; none `apart`."""
    left_waiting: set[str] = set()
    for equation in waiting[:LOOK_AHEAD]:
        is_apart = equation.target in apart or isinstance(equation.body, drawn)
        may_be_taken = not (is_apart or equation.reads & left_waiting)
        if may_be_taken and not _is_copy_for_others(equation, rows, waiting) and rows.take(equation):
            return equation
        left_waiting.add(equation.target)
    return None


def _is_copy_for_others(equation: Equation, rows: _Rows, waiting: Sequence[Equation]) -> bool:
    """Whether an equation copies windows of what no nest makes, for others that need nothing of this one."""
    if not (equation.is_elementwise and isinstance(equation.body, Entry)) or is_plain(equation.body):
        return False
    readers = (e for e in waiting[:LOOK_AHEAD] if equation.target in e.reads)
    return not any(e.reads & rows.by_row.keys() for e in (equation, *readers))


class _Rows:
    """A nest that grows as long as the next equation can be computed in the same pass over the rows."""

    def __init__(self, row: Loop | None, outside: tuple[Loop, ...] = ()) -> None:
        self.row, self.outside = row, outside
        self.by_row: dict[str, bool] = {}
        self.parts: list[LoopNest] = []

    def take(self, equation: Equation) -> bool:
        """Add the equation if it fits."""
        contraction = as_contraction(equation)
        if self.row is None or (contraction is not None and not contraction.batch):
            return False
        if self._would_stride(equation):
            return False
        for loop in equation.loops:
            if loop.axis.fits(self.row.axis) and self._may_run_over(equation, loop):
                self.append(equation, loop)
                return True
        return False

    def _would_stride(self, equation: Equation) -> bool:
        """Whether an equation that passes over the rows of data would read them a column at a time here."""
        best = _best_row(equation)
        here = self.row is not None and self.row.axis.is_free
        return best is not None and best.axis.is_free and best in equation.bound and not here

    def _may_run_over(self, equation: Equation, row: Loop) -> bool:
        if not _can_be_row(equation, row) or not self.by_row.get(equation.onto, True):
            return False
        return all(
            self.by_row[entry.tensor] and bool(entry.indices) and entry.indices[0] == row.index
            for entry in entries(equation.body)
            if entry.tensor in self.by_row
        )

    def append(self, equation: Equation, row: Loop | None, outside: Loop | None = None) -> None:
        """Add an equation, of whose loops this one is that over rows; and one that `outside` it."""
        self.by_row[equation.target] = row is not None and equation.indices[:1] == (row.index,)
        around = tuple(loop for loop in (outside, row) if loop is not None)
        part = _part(run_over(self.around, numbered(equation, around, _inner_loops(equation, around))))
        last = self.parts[-1] if self.parts else None
        if last is not None and not last.carried and _shares_loops(last, part):
            shared = tuple(run_over(last.loops, equation) for equation in part.equations)
            self.parts[-1] = replace(last, body=(*last.body, *shared))
        else:
            self.parts.append(part)

    def close(self) -> LoopNest:
        return LoopNest(self.around[len(self.outside) :], tuple(self.parts))

    @property
    def around(self) -> tuple[Loop, ...]:
        """The loops around all that it takes."""
        own = (Loop(AROUND[len(self.outside)], self.row.axis),) if self.row is not None else ()
        return (*self.outside, *own)


def _can_be_row(equation: Equation, loop: Loop) -> bool:
    """Whether each turn of a loop makes rows of its own, or one term of all sums."""
    if equation.scatters or loop.index in equation.indices:
        return bool(equation.indices[0] == loop.index)
    return equation.reduction == "sum"


def _best_row(equation: Equation) -> Loop | None:
    """The loop over the rows of most tensors read, the target's own rows at a tie.

    What sums over data of any number runs over these, so that it can be taken in blocks, whatever lies first.
    """
    possible = [loop for loop in equation.loops if _can_be_row(equation, loop)]
    firsts = [e.indices[0] for e in entries(equation.body) if e.indices]

    def rank(loop: Loop) -> tuple[bool, int, bool]:
        is_of_data = loop.axis.is_free and loop in equation.bound
        return is_of_data, firsts.count(loop.index), loop.index in equation.indices

    return max(possible, key=rank) if possible else None


def _inner_loops(equation: Equation, around: Sequence[Loop]) -> tuple[Loop, ...]:
    """The other loops: those of the target's entries in order, then those that are reduced."""
    free = [] if equation.scatters else [loop for loop in equation.free if loop not in around]
    return (*free, *(loop for loop in equation.loops if loop not in around and loop not in free))


def _part(equation: Equation) -> LoopNest:
    """The equation in the loops inside those that are around it.

    Loops that are reduced are the equation's own; they are shared where a row has one number, or takes part
    in sums. A sum whose terms lie side by side along the target's last axis is formed a whole row at a time.
    """
    around = [loop for loop in equation.loops if loop.index in AROUND]
    inner = _inner_loops(equation, around)
    if around and (stack := _stack_of_products(equation)) is not None:
        return LoopNest(tuple(loop for loop in inner if loop.index in stack), (equation,), products=True)
    free = tuple(loop for loop in inner if loop in equation.free)
    bound = tuple(loop for loop in inner if loop not in free)
    if _may_share(equation) or equation.scatters:
        return LoopNest(inner, (equation,))
    if free and bound and equation.reduction == "sum" and _lies_along(equation, free[-1], bound[-1]):
        return LoopNest((*free[:-1], *bound), (LoopNest(free[-1:], (equation,)),))
    return LoopNest(free, (equation,))


def _stack_of_products(equation: Equation) -> set[sp.Symbol] | None:
    """The indices of the loops around a product of matrices that is worth a library's call, that over rows
    among them; or None."""
    found = as_stacked_product(equation, AROUND)
    if found is None or not is_worth_a_call(equation, found):
        return None
    return {loop.index for loop in equation.loops} - found.matrix


def _may_share(equation: Equation) -> bool:
    """Whether other equations of a row can stand in the same loops: none of these is the equation's own."""
    over_rows = any(loop.index in AROUND for loop in equation.loops)
    if not over_rows or (equation.scatters and not moves_alone(equation)):
        return False
    if equation.is_elementwise or equation.scatters or equation.indices in (AROUND[:1], AROUND):
        return True
    others = {loop.index for loop in equation.loops} - {*AROUND}
    return equation.reduction == "sum" and (not equation.indices or set(equation.indices) == others)


def _lies_along(equation: Equation, free: Loop, bound: Loop) -> bool:
    """Whether the tensors read lie side by side along the free loop rather than the reduced one."""
    lasts = [e.indices[-1] for e in entries(equation.body) if e.indices]
    return lasts.count(free.index) > lasts.count(bound.index)


def _shares_loops(part: LoopNest, other: LoopNest) -> bool:
    """Whether the other's equation can be computed in the loops of a part, after all of it."""
    (equation,) = other.equations
    if not run_alike(part.loops, other.loops) or not all(map(_may_share, (*part.equations, equation))):
        return False
    made = {e.target: e for e in part.equations}
    return all(
        made[e.tensor].is_elementwise and e.indices == made[e.tensor].indices
        for e in entries(equation.body)
        if e.tensor in made
    )
