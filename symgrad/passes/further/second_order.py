"""Products with matrices of second derivatives, as programs of a direction: nobody forms the matrix."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.deriving.directional import with_tangents
from symgrad.calculus.differentiate import differentiate
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Gradient, Loop, Program, check
from symgrad.calculus.terms import index_symbol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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
    pulled = differentiate(replace(curved, loss=None, gradients=()), tuple(directions), seeds=seeds)
    return _giving(pulled, {g.of: g.name for g in pulled.gradients})


def _curvature(
    program: Program, cut: Sequence[str], moved: Mapping[str, str]
) -> tuple[Program, dict[str, str]]:
    """The program with the tangents of the loss's slopes by what is cut, where that moves so; their names."""
    given = {name: replace(program.tensor[name], kind="direction") for name in cut}
    head = replace(
        program,
        tensors=tuple(given.get(t.name, t) for t in program.tensors),
        equations=tuple(e for e in program.equations if e.target not in given),
        outputs=(),
        prediction=(),
    )
    behind = differentiate(head, cut)
    slopes = {g.of: g.name for g in behind.gradients}
    curved, tangent = with_tangents(behind, moved, tuple(slopes.values()))
    new = (e for e in curved.equations if e.target not in program.definition)
    tensors = tuple(program.tensor.get(t.name, t) for t in curved.tensors)
    whole = replace(program, tensors=tensors, equations=(*program.equations, *new))
    return check(whole), {of: tangent[name] for of, name in slopes.items() if name in tangent}


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
