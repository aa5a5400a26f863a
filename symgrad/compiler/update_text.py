"""Update rules as mathematics: the optimiser's equations, and their composition with the gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.notation import matrix_form
from symgrad.calculus.program import Equation, Loop, Program
from symgrad.compiler.update import LENGTH, I, Update, update_tensors

if TYPE_CHECKING:
    import sympy as sp

    from symgrad.calculus.style import Style


def update_rule(update: Update, style: Style | None = None) -> tuple[str, ...]:
    """The equations of one step: `v = 0.9·v + g`, `theta = theta − 0.1·v`."""
    lines = []
    if update.scheduled:
        lines.append(_line("learning_rate", update.learning_rate, update, style))
    return (*lines, *(_line(name, body, update, style) for name, body in update.updates))


def _line(name: str, body: sp.Expr, update: Update, style: Style | None) -> str:
    program = Program(update_tensors(update), (), (), None)
    is_vector = name != "learning_rate"
    place, loops = ((I,), (Loop(I, LENGTH),)) if is_vector else ((), ())
    return matrix_form(Equation(name, place, loops, "none", body), program, style).replace(" = ", " ← ", 1)
