"""Which of a network's named quantities are net inputs, and which are activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import sympy as sp

from symgrad.calculus.terms import Entry, float_entries, partial_derivative

if TYPE_CHECKING:
    from symgrad.calculus.program import Equation, Program

Role: TypeAlias = Literal["net input", "activation"]


def roles(program: Program) -> dict[str, Role]:
    """The net inputs, `x·W + b`, and the activations, their images under a function, on the way to the loss.

    A net input is a sum with a parameter as its weights, to which only multiples of tensors are added; an
    activation is made from a net input entry by entry.
    """
    on_the_way = program.needed((*program.outputs, *([program.loss] if program.loss else [])))
    after_targets = _after_targets(program)
    found: dict[str, Role] = {}
    for equation in program.equations:
        name = equation.target
        tensor = program.tensor[name]
        if tensor.kind != "value" or name in after_targets or name not in on_the_way:
            continue
        if _is_net_input(equation, program):
            found[name] = "net input"
        elif equation.is_elementwise and not _is_affine(equation):
            before = _reads_through_temporaries(equation, program)
            if any(found.get(n) == "net input" and program.tensor[n].axes == tensor.axes for n in before):
                found[name] = "activation"
    return found


def _after_targets(program: Program) -> set[str]:
    found = {t.name for t in program.of_kind("target")}
    for equation in program.equations:
        if equation.reads & found:
            found.add(equation.target)
    return found


def _is_net_input(equation: Equation, program: Program) -> bool:
    if _is_weighted(equation, program):
        return True
    inner = [program.definition[n] for n in equation.reads if program.tensor[n].kind == "temporary"]
    return _is_affine(equation) and any(_is_weighted(e, program) for e in inner)


def _is_weighted(equation: Equation, program: Program) -> bool:
    """`Σ x·W`, W a parameter."""
    if equation.reduction != "sum":
        return False
    factors = [f for f in sp.Mul.make_args(equation.body) if isinstance(f, Entry)]
    kinds = {program.tensor[f.tensor].kind for f in factors}
    return len(factors) == 2 and "parameter" in kinds and len(kinds) == 2


def _is_affine(equation: Equation) -> bool:
    held = float_entries(equation.body)
    return equation.is_elementwise and not any(
        partial_derivative(equation.body, e).atoms(Entry) for e in held
    )


def _reads_through_temporaries(equation: Equation, program: Program) -> set[str]:
    found: set[str] = set()
    for name in equation.reads:
        is_temporary = program.tensor[name].kind == "temporary"
        found |= _reads_through_temporaries(program.definition[name], program) if is_temporary else {name}
    return found
