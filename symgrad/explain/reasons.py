"""Why a gradient is what it is: where it starts, and which equations the chain rule goes through."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.contraction import is_plain, two_factors
from symgrad.calculus.terms import Entry
from symgrad.notation.visibility import shown_equations, visible_reads

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from symgrad.calculus.program import Equation, Program, Tensor


@dataclass(frozen=True)
class Reason:
    """`origin` in words, empty where all is said by the equations that the chain rule goes `through`."""

    origin: str = ""
    through: tuple[Equation, ...] = ()


def reason_of(gradient: Equation, program: Program, hidden: Collection[str]) -> Reason:
    """Why the derivative of the loss with respect to a tensor is this equation."""
    cotangent = program.tensor[gradient.target]
    if carried := program.carried.get(cotangent.of):
        where = "later" if carried.back else "before"
        return Reason(f"what a step gives to {carried.source} one step {where}")
    users = readers(program, cotangent.of, hidden)
    origin = _origin(cotangent, program, any(e.target == program.loss for e in users))
    origin = origin or _name_of_sum(gradient, program)
    return Reason(origin, tuple(e for e in users if e.target != program.loss))


def _name_of_sum(gradient: Equation, program: Program) -> str:
    """The name of a convolution's slope: over its kernel a correlation, over its image a convolution."""
    found = two_factors(gradient)
    given = [e for e in found[1:] if program.tensor[e.tensor].kind == "cotangent"] if found else []
    if found is None or len(given) != 1 or not is_plain(given[0]):
        return ""
    slope, other = given[0], found[2] if given[0] == found[1] else found[1]
    slides = _slides(gradient.indices if gradient.scatters else other.indices)
    if not gradient.scatters:
        return f"correlation of {other.tensor} with {slope.tensor}" if slides else ""
    if slides and is_plain(other):
        if slides == {1}:
            return f"full convolution of {slope.tensor} with the flipped kernel {other.tensor}"
        return f"transposed convolution of {slope.tensor} with {other.tensor}"
    return ""


def _slides(indices: Iterable[sp.Expr]) -> set[sp.Expr]:
    """The steps of indices that are those of windows, `2·i + u`; empty where others are no loop's own."""
    windows = [i for i in indices if not isinstance(i, sp.Symbol)]
    if not all(i.is_Add or i.is_Mul for i in windows) or any(i.atoms(Entry) for i in windows):
        return set()
    parts = [[t.as_coeff_Mul() for t in sp.expand(i).as_coeff_Add()[1].as_ordered_terms()] for i in windows]
    if any(len(terms) != 2 for terms in parts):
        return set()
    return {step for terms in parts for step, _ in terms}


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


def _part(name: str, program: Program) -> str:
    """Of what a slope without a tensor of its own is a part."""
    base = re.sub(r"(_\d+)+$", "", name)
    handed_on = base.removeprefix("d").removesuffix("_net")
    if base == f"d{handed_on}_net" and handed_on in program.tensor:
        return f"the derivative by all that is added up in {handed_on}"
    if base not in program.tensor and handed_on in program.tensor:
        return f"a part of the derivative by {handed_on}"
    return f"a part of {base if base in program.tensor else name}"


def _origin(cotangent: Tensor, program: Program, in_loss: bool) -> str:
    if not cotangent.of:
        return _part(cotangent.name, program)
    if cotangent.of not in program.tensor:
        return f"{cotangent.of} is an intermediate result in {owner(cotangent.of, program)}"
    return "from the loss" if in_loss else ""
