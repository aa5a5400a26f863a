"""Updates that a product can carry out while it is formed: `target ← keep·target + scale·g`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import Entry, entries
from symgrad.elaborate.optimizer import POSITION

if TYPE_CHECKING:
    from symgrad.elaborate.optimizer import Equations, Update

GRADIENT = Entry("g", (POSITION,))
THETA = Entry("theta", (POSITION,))


@dataclass(frozen=True)
class Accumulation:
    """The one equation of an update that needs the gradient, and the equations after it.

    `keep` and `scale` are the same for every entry; `target` is theta or a state.
    """

    target: str
    keep: sp.Expr
    scale: sp.Expr
    rest: Equations


def accumulation_of(update: Update) -> Accumulation | None:
    """The update as an accumulation of the gradient; None where it needs the gradient itself.

    Plain gradient descent is one, `theta ← theta − 0.1·g`, and so is momentum, `v ← 0.9·v + g`.
    """
    equations = _without_new_gradient(update.updates)
    needs_gradient = update.clip_norm is not None or update.clip_value is not None or update.in_pieces
    if needs_gradient or not equations:
        return None
    (target, body), *rest = equations
    states = [name for name, _ in update.states]
    if target not in ("theta", *states) or any(GRADIENT in entries(later) for _, later in rest):
        return None
    if target == "theta" and any(THETA in entries(later) for _, later in rest):
        return None
    return _linear(target, body, tuple(rest))


def _without_new_gradient(equations: Equations) -> Equations:
    """The equations with a gradient set anew, by weight decay say, written out in the next one."""
    if not equations or equations[0][0] != "g":
        return equations
    (_, gradient), *rest = equations
    if any(name == "g" for name, _ in rest) or any(GRADIENT in entries(body) for _, body in rest[1:]):
        return ()
    return tuple((name, body.xreplace({GRADIENT: gradient})) for name, body in rest)


def _linear(target: str, body: sp.Expr, rest: Equations) -> Accumulation | None:
    own = Entry(target, (POSITION,))
    expanded = sp.expand(body)
    keep, scale = expanded.coeff(own), expanded.coeff(GRADIENT)
    remainder = sp.expand(expanded - keep * own - scale * GRADIENT)
    varies = any(e.indices for factor in (keep, scale) for e in entries(factor))
    return None if remainder != 0 or scale == 0 or varies else Accumulation(target, keep, scale, rest)
