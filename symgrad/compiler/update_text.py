"""Update rules as mathematics: the optimiser's equations, and their composition with the gradients."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus import typeset as ts
from symgrad.calculus.arrange import product
from symgrad.calculus.matrix_writer import MatrixWriter
from symgrad.calculus.program import Equation, Loop, Program
from symgrad.calculus.terms import Entry
from symgrad.calculus.text import Text
from symgrad.compiler.update import LENGTH, POSITION, Update, update_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.calculus.style import Style
    from symgrad.calculus.typeset import Formula


def update_rule(update: Update, style: Style | None = None) -> tuple[str, ...]:
    """The equations of one step: `v ← 0.9·v + g`, `theta ← theta − 0.1·v`."""
    lines = list(_of_step(update))
    if update.clip_norm is not None:
        lines.append(_assigned("g", _clip(ts.Name("g"), update.clip_norm)))
    return _spelled([*lines, *_assignments(update, {})], style)


def rule_of_step(update: Update, style: Style | None = None) -> tuple[str, ...]:
    """What is the same for all parameters: the learning rate of a schedule, and how gradients are clipped."""
    lines = list(_of_step(update))
    if update.clip_norm is not None:
        clipped = ts.Call("clip", (ts.Name("g"),))
        lines.append(ts.Relation(clipped, "=", _clip(ts.Name("g"), update.clip_norm)))
    return _spelled(lines, style)


def composed_rule(
    update: Update, parameter: str, gradient: Formula, short: Formula, style: Style | None = None
) -> tuple[str, ...]:
    """The update of one parameter: `W1 ← W1 − 0.01·(xᵀ·dZ1)`.

    The gradient's formula stands where the optimiser uses it once, else its name, `short`.
    """
    uses = Counter(
        node.tensor
        for _, body in update.updates
        for node in sp.preorder_traversal(body)
        if isinstance(node, Entry)
    )
    used = gradient if uses["g"] == 1 else short
    if update.clip_norm is not None:
        used = ts.Call("clip", (used,))
    names = {name: ts.Name(f"{name}_{parameter}") for name, _ in update.states}
    return _spelled(_assignments(update, {**names, "theta": ts.Name(parameter), "g": used}), style)


def _spelled(lines: Iterator[Formula] | list[Formula], style: Style | None) -> tuple[str, ...]:
    return tuple((style or Text()).spell(line) for line in lines)


def _of_step(update: Update) -> Iterator[Formula]:
    for name, body in update.numbers:
        if name == "learning_rate":
            yield _assigned(name, _right_side(update, name, body, {}))


def _assignments(update: Update, spelled: Mapping[str, Formula]) -> Iterator[Formula]:
    """One line per state and parameter; a step that reads theta after changing it keeps the old one."""
    names = [name for name, _ in update.updates]
    later = update.updates[names.index("theta") + 1 :] if "theta" in names else ()
    keeps = any(e.tensor == "theta" for _, body in later for e in body.atoms(Entry))
    if keeps:
        before = ts.Name("before")
        yield ts.Relation(before, "←", spelled.get("theta", ts.Name("theta")))
    changed = False
    for name, body in update.updates:
        if name in update.temporaries:
            continue
        here = {**spelled, "theta": before} if keeps and changed else spelled
        right = _right_side(update, name, body, here)
        yield ts.Relation(spelled.get(name, ts.Name(name)), "←", right)
        changed = changed or name == "theta"


def _right_side(update: Update, name: str, body: sp.Expr, spelled: Mapping[str, Formula]) -> Formula:
    """The formula of one equation, its temporaries written out."""
    loop = (Loop(POSITION, LENGTH),)
    defined = [*((n, (), b) for n, b in update.numbers), *((n, loop, b) for n, b in update.updates)]
    hidden = tuple(_equation(n, loops, b) for n, loops, b in defined if n in update.temporaries)
    writer = MatrixWriter(Program(update_tensors(update), hidden, (), None), update.temporaries, spelled)
    return writer.right_side(_equation(name, () if name == "learning_rate" else loop, body))


def _equation(name: str, loops: tuple[Loop, ...], body: sp.Expr) -> Equation:
    return Equation(name, tuple(loop.index for loop in loops), loops, "none", body)


def _assigned(name: str, right: Formula) -> Formula:
    return ts.Relation(ts.Name(name), "←", right)


def _clip(gradient: Formula, limit: float) -> Formula:
    bound = ts.Quotient(ts.Number(Fraction(repr(limit))), ts.Norm(gradient))
    return product("numbers", [gradient, ts.Call("min", (ts.Number(Fraction(1)), bound))])
