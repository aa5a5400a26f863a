"""Where tensors lie: parameters and gradients in one vector each, all else in one planned workspace."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from symgrad.calculus.editing import ProgramEditor
from symgrad.compiler.planning.places.equal_steps import equal_runs
from symgrad.compiler.planning.places.first_fit import places_of
from symgrad.compiler.planning.places.lifetimes import buffers_of
from symgrad.compiler.planning.places.single_rows import held_by_rows
from symgrad.compiler.planning.plan import Accumulate, Phase, Place, Plan, Vector, size_of
from symgrad.compiler.planning.row_blocks import sums_in_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from symgrad.calculus.program import Program


def plan_memory(
    program: Program, phases: tuple[Phase, ...], columns: str = "", rows: str = "", kept: tuple[str, ...] = ()
) -> Plan:
    """The plan with a place for every tensor; memory is used again once its tensor is read no more, but that
    of tensors that are `kept`.

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
    next_of = {found.state: found.equation for found in program.next_values}
    direction_of = {t.of: t.name for t in program.of_kind("direction")}
    formed: Vector = "destination" if program.accumulated else "product" if direction_of else "grad"
    for tensor in program.of_kind("parameter"):
        places[tensor.name] = Place("theta", (), offset)
        if tensor.name in gradient_of:
            places[gradient_of[tensor.name]] = Place(formed, (), offset)
        if tensor.name in next_of:  # where a step, which forms no gradient of it, has room
            places[next_of[tensor.name]] = Place(formed, (), offset)
        if tensor.name in direction_of:
            places[direction_of[tensor.name]] = Place("direction", (), offset)
        offset += size_of(tensor.axes)[1]
    shared: dict[str, str] = {}
    for equation in reversed(program.equations):
        if equation.onto and equation.target in places:
            places[equation.onto], shared[equation.onto] = places[equation.target], equation.target
    by_rows = frozenset[str]() if columns else held_by_rows(program, phases)
    by_rows |= {block for name, block in blocks.items() if name in by_rows}
    plan = Plan(
        *(program, phases, places, (), offset, shared, blocks, rows, columns, by_rows),
        looked_up=_added_by_rows(phases),
        kept=kept,
    )
    buffers = buffers_of(plan)
    runs = chain.from_iterable(equal_runs(plan, phase.steps) for phase in phases)
    offsets, units = places_of(buffers, runs, fixed)
    for buffer in buffers:
        shared.update(pairwise(buffer.names))
        places.update({name: Place("work", buffer.unit, offsets[name]) for name in buffer.names})
    return replace(plan, work_units=units)


def _added_by_rows(phases: Iterable[Phase]) -> dict[str, str]:
    """The gradients of which some rows alone are added to a vector, with the data that name these."""
    steps = (step for phase in phases for step in phase.steps)
    added = (step for step in steps if isinstance(step, Accumulate) and step.rows)
    return {gradient: step.rows for step in added for gradient in step.equation.reads}


def _with_blocks(program: Program, phases: tuple[Phase, ...], rows: str) -> tuple[Program, dict[str, str]]:
    """The program with memory for blocks of rows, by the sum that is added up of them."""
    editor = ProgramEditor(program)
    sums = (e.target for phase in phases for step in phase.steps for e in sums_in_blocks(step, rows))
    blocks = {name: editor.new_tensor(f"{name}_block", program.tensor[name].axes) for name in sums}
    return replace(program, tensors=tuple(editor.tensors.values())), blocks
