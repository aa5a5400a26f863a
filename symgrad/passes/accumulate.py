"""Gradients that are added to a vector while they are formed: `destination ← keep·destination + scale·g`.

The vector may be the parameters themselves, so that a step of gradient descent never writes a gradient down.
"""

from __future__ import annotations

from dataclasses import replace

from symgrad.calculus.axes import standard_indices
from symgrad.calculus.contraction import as_product
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Gradient, Loop, Program
from symgrad.calculus.terms import Entry


def accumulate(program: Program) -> Program:
    """The program that forms `destination_W` for every parameter W, where that can be; else the program.

    A product is formed there at once, any other gradient is computed first and then added.
    """
    if not _can_accumulate(program):
        return program
    editor, destinations = ProgramEditor(program), {}
    for gradient, parameter in _gradients_of_parameters(program).items():
        axes = program.tensor[gradient].axes
        destinations[gradient] = editor.new_tensor(f"destination_{parameter}", axes, "cotangent")
    products = {g for g in destinations if as_product(program.definition[g])}
    for equation in program.equations:
        name = equation.target
        editor.add(replace(equation, target=destinations[name]) if name in products else equation)
    for gradient, destination in destinations.items():
        if gradient not in products:
            axes = program.tensor[gradient].axes
            indices = standard_indices(axes)
            loops = tuple(map(Loop, indices, axes))
            editor.add(Equation(destination, indices, loops, "none", Entry(gradient, indices)))
    gradients = tuple(
        Gradient(g.of, destinations[g.name], g.name) if g.name in destinations else g
        for g in program.gradients
    )
    return editor.program(gradients=gradients)


def _can_accumulate(program: Program) -> bool:
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


def _gradients_of_parameters(program: Program) -> dict[str, str]:
    parameters = {t.name for t in program.of_kind("parameter")}
    return {g.name: g.of for g in program.gradients if g.of in parameters}
