"""Gradients that are added to a vector while they are formed: `into ← keep·into + scale·g`.

The vector may be the parameters themselves, so that a step of gradient descent never writes a gradient down.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.contraction import as_product
from symgrad.calculus.names import Names
from symgrad.calculus.program import Equation, Gradient, Loop, Program, Tensor
from symgrad.calculus.terms import Entry, index_symbol

if TYPE_CHECKING:
    from collections.abc import Mapping


def can_carry(program: Program) -> bool:
    """Whether some gradient of a parameter is a product, and can be formed after all uses of its parameter.

    It cannot where something is computed from it, or where it is a product with a parameter: two of these
    might each have to wait for the other.
    """
    gradients = _gradients_of_parameters(program)
    if any(gradients.keys() & equation.reads for equation in program.equations):
        return False
    products = [e for e in map(program.definition.__getitem__, gradients) if as_product(e)]
    parameters = {t.name for t in program.of_kind("parameter")}
    return bool(products) and not any(parameters & e.reads for e in products)


def carry(program: Program) -> tuple[Program, Mapping[str, str]]:
    """The program that forms `into_W` for every parameter W, and the gradient each of these takes in.

    A product is formed there at once, any other gradient is computed first and then added.
    """
    names = Names(program.tensor)
    tensors, equations, carried = list(program.tensors), list(program.equations), {}
    for gradient, parameter in _gradients_of_parameters(program).items():
        into = names.claim(f"into_{parameter}")
        carried[into] = gradient
        tensors.append(Tensor(into, program.tensor[gradient].axes, "cotangent"))
        equation = program.definition[gradient]
        if as_product(equation):
            equations[equations.index(equation)] = replace(equation, target=into)
        else:
            loops = tuple(Loop(index_symbol(f"i{n}"), axis) for n, axis in enumerate(tensors[-1].axes))
            place = tuple(loop.index for loop in loops)
            equations.append(Equation(into, place, loops, "none", Entry(gradient, place)))
    renamed = {gradient: into for into, gradient in carried.items()}
    gradients = tuple(Gradient(g.of, renamed.get(g.name, g.name)) for g in program.gradients)
    return replace(program, tensors=tuple(tensors), equations=tuple(equations), gradients=gradients), carried


def _gradients_of_parameters(program: Program) -> dict[str, str]:
    parameters = {t.name for t in program.of_kind("parameter")}
    return {g.name: g.of for g in program.gradients if g.of in parameters}
