"""Gradients that are added to a vector while they are formed: `destination ← keep·destination + scale·g`.

The vector may be the parameters themselves, so that a step of gradient descent never writes a gradient down.
States of the model get their next values there, after all that reads them; their own derivatives, which are
0, are left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.axes import standard_indices
from symgrad.calculus.contraction import as_product
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Gradient, Loop, Program
from symgrad.calculus.terms import Entry

if TYPE_CHECKING:
    from symgrad.spec.model import NextValue


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
    states = {found.state for found in program.next_values}
    for left_out in (g.name for g in program.gradients if g.of in states):
        del editor.tensors[left_out]
    for equation in (e for e in program.equations if e.target in editor.tensors):
        name = equation.target
        editor.add(replace(equation, target=destinations[name]) if name in products else equation)
    for gradient, destination in destinations.items():
        if gradient not in products:
            _copy(editor, gradient, destination)
    gradients = tuple(
        Gradient(g.of, destinations[g.name], g.name) if g.name in destinations else g
        for g in program.gradients
        if g.of not in states
    )
    next_values = tuple(_handed_over(editor, found) for found in program.next_values)
    return editor.program(gradients=gradients, next_values=next_values)


def _handed_over(editor: ProgramEditor, found: NextValue) -> NextValue:
    """The next value of a state, computed first and then copied to where the state may still be read."""
    axes = editor.tensors[found.equation].axes
    renewed = replace(found, equation=editor.new_tensor(f"destination_{found.state}", axes))
    _copy(editor, found.equation, renewed.equation)
    return renewed


def _copy(editor: ProgramEditor, source: str, target: str) -> None:
    axes = editor.tensors[source].axes
    indices = standard_indices(axes)
    loops = tuple(map(Loop, indices, axes))
    editor.add(Equation(target, indices, loops, "none", Entry(source, indices)))


def _can_accumulate(program: Program) -> bool:
    """Whether some gradient of a parameter is a product, and can be formed after all uses of its parameter.

    It cannot where something is computed from it, or where it is a product with a parameter: two of these
    might each have to wait for the other.
    """
    gradients = map(program.definition.__getitem__, _gradients_of_parameters(program))
    products = {e.target: e for e in gradients if as_product(e)}
    if any(products.keys() & equation.reads for equation in program.equations):
        return False
    parameters = {t.name for t in program.of_kind("parameter")}
    return bool(products) and not any(parameters & e.reads for e in products.values())


def _gradients_of_parameters(program: Program) -> dict[str, str]:
    states = {found.state for found in program.next_values}
    parameters = {t.name for t in program.of_kind("parameter")} - states
    return {g.name: g.of for g in program.gradients if g.of in parameters}
