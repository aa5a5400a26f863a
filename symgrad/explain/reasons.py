"""Why a gradient is what it is: where it starts, and which equations the chain rule goes through."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.notation.visibility import shown_equations, visible_reads

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.calculus.program import Equation, Program, Tensor


@dataclass(frozen=True)
class Reason:
    """`origin` in words, empty where all is said by the equations that the chain rule goes `through`."""

    origin: str = ""
    through: tuple[Equation, ...] = ()


def reason_of(gradient: Equation, program: Program, hidden: Collection[str]) -> Reason:
    """Why the derivative of the loss with respect to a tensor is this equation."""
    cotangent = program.tensor[gradient.target]
    users = readers(program, cotangent.of, hidden)
    origin = _origin(cotangent, program, any(e.target == program.loss for e in users))
    return Reason(origin, tuple(e for e in users if e.target != program.loss))


def readers(program: Program, tensor: str, hidden: Collection[str]) -> tuple[Equation, ...]:
    """The shown equations that the chain rule goes through, up to the next cotangents or the loss."""
    on_the_way = program.needed((program.loss,) if program.loss else ())
    reached = {tensor}
    found = []
    for equation in shown_equations(program, hidden):
        if equation.target in on_the_way and reached & visible_reads(program, equation, hidden):
            found.append(equation)
            if equation.target not in program.cotangent:
                reached.add(equation.target)
    return tuple(found)


def owner(name: str, program: Program) -> str:
    """The named tensor whose formula a temporary came from."""
    base = re.sub(r"(_\d+)+$", "", name)
    return base if name not in program.tensor and base in program.tensor else name


def _origin(cotangent: Tensor, program: Program, in_loss: bool) -> str:
    of = cotangent.of or cotangent.name
    if cotangent.of not in program.tensor:
        return f"{of} is an intermediate result in {owner(of, program)}"
    return "from the loss" if in_loss else ""
