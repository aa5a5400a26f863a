"""Steps that a product can carry out while it is formed: `destination ← keep·destination + scale·g`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp

from symgrad.calculus.program import Equation, Program, Tensor, check
from symgrad.calculus.terms import Entry, entries
from symgrad.elaborate.optimizer import AHEAD

SHARE_KEPT, SHARE_ADDED = "share kept", "share added"
SHARES = (SHARE_KEPT, SHARE_ADDED)


@dataclass(frozen=True)
class Accumulation:
    """A step in two parts: the one sum that needs the gradient, and the `rest` of it.

    `destination` is theta or a state; `shares` gives SHARE_KEPT and SHARE_ADDED, the same for every entry.
    """

    destination: str
    shares: Program
    rest: Program

    @property
    def is_all(self) -> bool:
        """Whether parameters take their gradient in, and nothing else is done to them entry by entry."""
        over_entries = (e for e in self.rest.equations if self.rest.tensor[e.target].axes)
        return self.destination == "theta" and not any(over_entries)


def accumulation_of(update: Program) -> Accumulation | None:
    """The step as an accumulation of the gradient; None where it needs the gradient itself.

    Plain gradient descent is one, `theta ← theta − 0.1·g`, and so is momentum, `v ← 0.9·v + g`.
    """
    equations = _with_gradient_written_out(update)
    readers = [e for e in equations if "g" in e.reads]
    if len(readers) != 1 or readers[0].target not in update.outputs:
        return None
    (added,) = readers
    others = tuple(e for e in equations if e != added and e.target != AHEAD)
    destination = update.tensor[added.target].of
    if any(destination in e.reads for e in others):
        return None
    factors = _factors(added, destination)
    return None if factors is None else _divided(update, added, others, factors)


def _with_gradient_written_out(update: Program) -> tuple[Equation, ...]:
    """The equations with a gradient set anew, by weight decay say, written out in the one that reads it."""
    equations = update.equations
    for new in (e for e in update.equations if update.tensor[e.target].of == "g"):
        readers = [e for e in equations if new.target in e.reads]
        if len(readers) == 1:
            equations = tuple(_written_out(e, new) for e in equations if e.target != new.target)
    return equations


def _written_out(equation: Equation, definition: Equation) -> Equation:
    found = {e: definition.at(e.indices) for e in entries(equation.body) if e.tensor == definition.target}
    return replace(equation, body=equation.body.xreplace(found))


def _factors(equation: Equation, destination: str) -> tuple[sp.Expr, sp.Expr] | None:
    """The numbers keep and scale of `keep·destination + scale·g`; None where it is something else."""
    own, gradient = Entry(destination, equation.indices), Entry("g", equation.indices)
    expanded = sp.expand(equation.body)
    keep, scale = expanded.coeff(own), expanded.coeff(gradient)
    remainder = sp.expand(expanded - keep * own - scale * gradient)
    varies = any(e.indices for factor in (keep, scale) for e in entries(factor))
    return None if remainder != 0 or scale == 0 or varies else (keep, scale)


def _divided(
    update: Program, added: Equation, others: tuple[Equation, ...], factors: tuple[sp.Expr, sp.Expr]
) -> Accumulation:
    shares = tuple(Equation(n, (), (), "none", f) for n, f in zip(SHARES, factors, strict=True))
    numbers = (*update.tensors, *(Tensor(e.target, (), "value") for e in shares))
    new = replace(update.tensor[added.target], kind="state")
    given = tuple(new if t.name == new.name else t for t in update.tensors)
    left = (name for name in update.outputs if name not in (AHEAD, new.name))
    return Accumulation(
        destination=new.of,
        shares=check(replace(update, tensors=numbers, equations=(*others, *shares)).giving(SHARES)),
        rest=check(replace(update, tensors=given, equations=others).giving(left)),
    )
