"""Where tensors lie: parameters and gradients in one vector each, all else in one planned workspace."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from symgrad.calculus.editing import ProgramEditor
from symgrad.compiler.planning.loop_orders import entries_of
from symgrad.compiler.planning.plan import LoopNest, Monomial, Phase, Place, Plan, Step, size_of
from symgrad.compiler.planning.row_blocks import sums_in_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.program import Equation, Program


def plan_memory(program: Program, phases: tuple[Phase, ...], columns: str = "", rows: str = "") -> Plan:
    """The plan with a place for every tensor; memory is used again once its tensor is read no more.

    Where `rows` names an axis, sums along it keep their digits however long it is.
    """
    program, blocks = _with_blocks(program, phases, rows) if rows else (program, {})
    places: dict[str, Place] = {}
    for tensor in (*program.of_kind("input"), *program.of_kind("target")):
        places[tensor.name] = Place("argument", (), 0)
    fixed = 0
    for tensor in program.of_kind("constant"):
        places[tensor.name] = Place("work", (), fixed)
        fixed += size_of(tensor.axes)[1]
    offset = 0
    gradient_of = {g.of: g.name for g in program.gradients}
    for tensor in program.of_kind("parameter"):
        places[tensor.name] = Place("theta", (), offset)
        if tensor.name in gradient_of:
            places[gradient_of[tensor.name]] = Place(
                "destination" if program.accumulated else "grad", (), offset
            )
        offset += size_of(tensor.axes)[1]
    shared: dict[str, str] = {}
    for equation in reversed(program.equations):
        if equation.onto and equation.target in places:
            places[equation.onto], shared[equation.onto] = places[equation.target], equation.target
    units = _place_rest(program, phases, places, shared, blocks, fixed)
    return Plan(program, phases, places, units, offset, shared, blocks, rows, columns)


def _with_blocks(program: Program, phases: tuple[Phase, ...], rows: str) -> tuple[Program, dict[str, str]]:
    """The program with memory for blocks of rows, by the sum that is added up of them."""
    editor = ProgramEditor(program)
    sums = (e.target for phase in phases for step in phase.steps for e in sums_in_blocks(step, rows))
    blocks = {name: editor.new_tensor(f"{name}_block", program.tensor[name].axes) for name in sums}
    return replace(program, tensors=tuple(editor.tensors.values())), blocks


@dataclass
class _Arena:
    """Free stretches of the workspace in one unit, as (start, end), and its size so far."""

    free: list[tuple[int, int]] = field(default_factory=list)
    size: int = 0

    def take(self, amount: int) -> int:
        """The first stretch that is long enough, or a new one at the end."""
        for number, (start, end) in enumerate(self.free):
            if end - start >= amount:
                self.free[number : number + 1] = [(start + amount, end)] if end - start > amount else []
                return start
        start = self.size
        if self.free and self.free[-1][1] == self.size:
            start = self.free.pop()[0]
        self.size = start + amount
        return start

    def give_back(self, start: int, amount: int) -> None:
        stretches = sorted([*self.free, (start, start + amount)])
        merged = [stretches[0]]
        for begin, end in stretches[1:]:
            if begin == merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
            else:
                merged.append((begin, end))
        self.free = merged


def _place_rest(
    program: Program,
    phases: tuple[Phase, ...],
    places: dict[str, Place],
    shared: dict[str, str],
    blocks: Mapping[str, str],
    fixed: int,
) -> tuple[tuple[Monomial, int], ...]:
    """Places for all that is computed, behind the `fixed` numbers of constants; the size of every unit."""
    steps = [step for phase in phases for step in phase.steps]
    phase_of = {e.target: phase.name for phase in phases for step in phase.steps for e in step.equations}
    last_use = _last_uses(program, phases, steps)
    arenas: dict[Monomial, _Arena] = {(): _Arena(size=fixed)} if fixed else {}
    owner: dict[str, str] = {}
    for number, step in enumerate(steps):
        local = step.local if isinstance(step, LoopNest) else frozenset()
        handed_over: set[str] = set()
        for name in (blocks[e.target] for e in step.equations if e.target in blocks):
            unit, amount = size_of(program.tensor[name].axes)
            places[name] = Place("work", unit, arenas.setdefault(unit, _Arena()).take(amount))
            owner[name], last_use[name] = name, number
        for equation in step.equations:
            name = equation.target
            if name in places or name in local:
                continue
            unit, amount = size_of(program.tensor[name].axes)
            read = _read_through_locals(equation, step, local)
            ends_here = {n for n in read if last_use.get(n) == number and n not in handed_over}
            same_phase = {n for n in ends_here if phase_of.get(n) == phase_of[name]}
            giver = equation.onto or _in_place_of(equation, step, program, places, same_phase)
            if giver:
                handed_over.add(giver)
                shared[giver] = name
                places[name] = places[giver]
                owner[name] = name
                del owner[giver]
                continue
            arena = arenas.setdefault(unit, _Arena())
            places[name] = Place("work", unit, arena.take(amount))
            owner[name] = name
        for name in [n for n in owner if last_use[n] <= number]:
            unit, amount = size_of(program.tensor[name].axes)
            arenas[unit].give_back(places[name].offset, amount)
            del owner[name]
    return tuple(
        (unit, arena.size) for unit, arena in sorted(arenas.items(), key=lambda a: (len(a[0]), a[0]))
    )


def _read_through_locals(equation: Equation, step: Step, local: frozenset[str]) -> set[str]:
    """What an equation reads, and what is read for the locals among it."""
    made = {e.target: e for e in step.equations}
    found: set[str] = set()
    for name in equation.reads:
        found |= {name} if name not in local else _read_through_locals(made[name], step, local)
    return found


def _last_uses(program: Program, phases: tuple[Phase, ...], steps: list[Step]) -> dict[str, int]:
    """The number of the last step that needs a tensor; what a caller may fetch stays to the phase's end."""
    last: dict[str, int] = {}
    for number, step in enumerate(steps):
        for equation in step.equations:
            last[equation.target] = max(last.get(equation.target, 0), number)
            for name in equation.reads:
                last[name] = number
    ends, end = {}, -1
    for phase in phases:
        end += len(phase.steps)
        ends[phase.name] = end
    for name in program.outputs:
        last[name] = max(last.get(name, 0), ends["prediction"])
    for name in program.prediction:
        last[name] = max(last.get(name, 0), ends["prediction"])
    for gradient in program.gradients:
        last[gradient.name] = ends["gradient"] + 1
    if program.loss is not None:
        last[program.loss] = max(last.get(program.loss, 0), ends["loss"])
    return last


def _in_place_of(
    equation: Equation, step: Step, program: Program, places: dict[str, Place], candidates: set[str]
) -> str | None:
    """A tensor read here for the last time whose memory the target can take over, entry by entry.

    Both must be of one phase, so that the name they share in the module fits both, which no other name fits
    for a greatest or a least entry.
    """
    if not isinstance(step, LoopNest) or not equation.is_elementwise or equation.scatters:
        return None
    axes = program.tensor[equation.target].axes
    for name in (e.target for e in reversed(program.equations) if e.target in candidates):  # not by spelling:
        # equal layers, whatever their numbers, then lie in memory alike and become one loop
        place = places.get(name)
        if place is None or place.vector != "work" or program.tensor[name].kind in ("value", "constant"):
            continue
        if program.definition[name].reduction in ("max", "min"):
            continue
        same_shape = [a.extent for a in program.tensor[name].axes] == [a.extent for a in axes]
        if same_shape and _read_row_by_row(name, equation, step):
            return name
    return None


def _read_row_by_row(name: str, equation: Equation, nest: LoopNest) -> bool:
    """Whether no entry of `name` is read after the equation overwrites it."""
    position = nest.equations.index(equation)
    if any(name in later.reads for later in nest.equations[position + 1 :]):
        return False
    together = next(equations for _, equations in nest.parts() if equation in equations)
    if any(e.indices != equation.indices for e in entries_of(together) if e.tensor == name):
        return False
    shared = tuple(loop.index for loop in nest.loops)
    return all(
        e.indices[: len(shared)] == shared for e in entries_of(nest.equations[:position]) if e.tensor == name
    )
