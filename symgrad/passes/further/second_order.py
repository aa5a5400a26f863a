"""Products with matrices of derivatives, as programs of a direction, and the matrices themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.deriving.directional import with_tangents
from symgrad.calculus.differentiate import differentiate
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Gradient, Loop, Program, Tensor, check
from symgrad.calculus.terms import Entry, extent_symbol, index_symbol
from symgrad.passes.further.every_entry import for_every_entry
from symgrad.passes.further.rows_apart import rows_apart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.errors import Position


def hessian_product(derived: Program) -> Program:
    """The Hessian of the loss by the parameters times a direction: the tangents of the gradient.

    `derived` is a program with its gradient.
    """
    program, directions = _with_directions(derived)
    gradients = {g.of: g.name for g in program.gradients if g.of in directions}
    program, tangent = with_tangents(program, directions, tuple(gradients.values()))
    return _giving(program, {of: tangent.get(name, "") for of, name in gradients.items()})


def gauss_newton_product(primal: Program, cut: Sequence[str]) -> Program:
    """Jᵀ(H(Jv)): J is the Jacobian of the tensors in `cut` by the parameters, H the Hessian of the loss by
    these, v a direction.

    `primal` is a program without gradient, whose loss depends on the parameters through `cut` alone.
    """
    program, directions = _with_directions(primal)
    program, moved = with_tangents(program, directions, cut)
    curved, seeds = _curvature(program, cut, moved)
    pulled = differentiate(replace(curved, loss=None, gradients=()), tuple(directions), "G", seeds)
    return _giving(pulled, {g.of: g.name for g in pulled.gradients})


def hessian_of(derived: Program, parameter: str) -> Program:
    """All second derivatives of the loss by one parameter: the axes of both entries, one after the other."""
    program = hessian_product(derived)
    directions = {t.of: t.name for t in program.of_kind("direction")}
    product = next(g.name for g in program.gradients if g.of == parameter)
    others = [name for of, name in directions.items() if of != parameter]
    return for_every_entry(program, directions[parameter], 0, others, [product])


def jacobian_of(primal: Program, of: str, by: str, rows: str, at: Position) -> Program:
    """The derivatives of a tensor by another: the axes of both; of rows that know nothing of each other, row
    by row, with one axis of rows in front.
    """
    editor = ProgramEditor(primal)
    editor.equations += primal.equations
    axes = primal.tensor[of].axes
    shared = int(bool(axes) and axes[0].name == rows != "")
    seed = editor.new_tensor(f"v_{of}", axes, "direction", of)
    program = replace(editor.program(), loss=None, outputs=(), prediction=())
    pulled = differentiate(program, [by], f"d{of}_d", seeds={of: seed})
    (slope,) = (g.name for g in pulled.gradients)
    if shared:
        apart = rows_apart(pulled, rows, [slope], at, extent_symbol(rows))
        (slope,) = apart.outputs
        pulled = replace(apart, tensors=tuple(_as_direction(t, seed, of) for t in apart.tensors))
    every = for_every_entry(pulled, seed, shared, [], [slope])
    (found,) = every.outputs
    return _with_rows_first(every, found, len(axes) - shared, shared)


def slopes_behind(program: Program, cut: Sequence[str]) -> Program:
    """The derivatives of the loss by what is cut, which is given: nothing flows through it."""
    return differentiate(with_given(program, cut), cut)


def with_given(program: Program, cut: Sequence[str]) -> Program:
    """The program of the loss where what is cut is given, whatever it is made of."""
    given = {name: replace(program.tensor[name], kind="direction") for name in cut}
    return replace(
        program,
        tensors=tuple(given.get(t.name, t) for t in program.tensors),
        equations=tuple(e for e in program.equations if e.target not in given),
        outputs=(),
        prediction=(),
    )


def _curvature(
    program: Program, cut: Sequence[str], moved: Mapping[str, str]
) -> tuple[Program, dict[str, str]]:
    """The program with the tangents of the loss's slopes by what is cut, where that moves so; their names."""
    behind = slopes_behind(program, cut)
    slopes = {g.of: g.name for g in behind.gradients}
    curved, tangent = with_tangents(behind, moved, tuple(slopes.values()))
    new = (e for e in curved.equations if e.target not in program.definition)
    tensors = tuple(program.tensor.get(t.name, t) for t in curved.tensors)
    whole = replace(program, tensors=tensors, equations=(*program.equations, *new))
    return check(whole), {of: tangent[name] for of, name in slopes.items() if name in tangent}


def _as_direction(tensor: Tensor, seed: str, of: str) -> Tensor:
    return replace(tensor, kind="direction", of=of) if tensor.name == seed else tensor


def _with_rows_first(program: Program, name: str, rank: int, shared: int) -> Program:
    """The output [entries of a row, rows, ...] as [rows, entries of a row, ...]."""
    axes = program.tensor[name].axes
    loops = tuple(Loop(index_symbol(f"_j{number}"), axis) for number, axis in enumerate(axes))
    moved = (*loops[rank : rank + shared], *loops[:rank], *loops[rank + shared :])
    editor = ProgramEditor(program)
    editor.equations += program.equations
    whole = editor.new_tensor(f"{name}_jacobian", tuple(loop.axis for loop in moved), "tangent")
    indices, body = tuple(loop.index for loop in moved), Entry(name, tuple(loop.index for loop in loops))
    editor.add(Equation(whole, indices, moved, "none", body))
    return editor.program(outputs=(whole,))


def _with_directions(program: Program) -> tuple[Program, dict[str, str]]:
    """The program with a direction for every parameter, and their names."""
    editor = ProgramEditor(program)
    editor.equations += program.equations
    directions = {
        p.name: editor.new_tensor(f"v_{p.name}", p.axes, "direction", p.name)
        for p in program.of_kind("parameter")
    }
    return editor.program(), directions


def _giving(program: Program, products: Mapping[str, str]) -> Program:
    """The program of these products alone, by the parameters they are for; 0 where there is none."""
    editor = ProgramEditor(program)
    editor.equations += program.equations
    found = [Gradient(of, name or _zeros(editor, of)) for of, name in products.items()]
    return editor.program(outputs=(), prediction=(), loss=None, gradients=tuple(found))


def _zeros(editor: ProgramEditor, of: str) -> str:
    axes = editor.tensors[of].axes
    loops = tuple(Loop(index_symbol(f"_z{number}"), axis) for number, axis in enumerate(axes))
    name = editor.new_tensor(f"d{of}_dot", axes, "tangent")
    editor.add(Equation(name, tuple(loop.index for loop in loops), loops, "none", sp.Integer(0)))
    return name
