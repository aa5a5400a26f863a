"""Derivatives of which a diagonal alone is read, computed without the rest.

A Laplacian, the sum of d(u[n], x[n,i], x[n,i]) over i, reads of all second derivatives u_xx[n,i,j] those with
i = j. These need the diagonal alone of the second derivatives of the layer before, and so on down to x:
for m coordinates the second order is carried along m directions, not along m² pairs of them.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, TypeVar

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.terms import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.calculus.program import Equation, Program, Tensor


T = TypeVar("T")


def with_diagonals(program: Program) -> Program:
    """The program with tensors of fewer axes where only entries with two equal indices are read."""
    equations = list(program.equations)
    tensors = dict(program.tensor)
    kept = {program.loss, *program.outputs, *program.prediction}
    for number in range(len(equations) - 1, -1, -1):
        made = equations[number]
        later = equations[number + 1 :]
        while made.target not in kept and (pair := _equal_axes(made, tensors, later)):
            tensor = tensors[made.target]
            tensors[tensor.name] = replace(tensor, axes=_without(tensor.axes, pair[1]))
            made = _on_diagonal(made, *pair)
            later = [_reading(equation, tensor.name, pair[1]) for equation in later]
        equations[number:] = [made, *later]
    if tensors == program.tensor:
        return program
    editor = ProgramEditor(program)
    editor.tensors = tensors
    for equation in equations:
        editor.add(equation)
    return editor.program()


def _equal_axes(
    made: Equation, tensors: Mapping[str, Tensor], later: Sequence[Equation]
) -> tuple[int, int] | None:
    """Two axes of a derivative at which all entries that are read have the same index."""
    tensor = tensors[made.target]
    if not (tensor.by or tensor.kind == "temporary") or made.scatters or made.onto:
        return None
    read = [entry for equation in later for entry in _entries(equation) if entry.tensor == tensor.name]
    if not read or any(equation.onto == tensor.name for equation in later):
        return None
    for first, second in combinations(range(len(tensor.axes)), 2):
        is_alike = tensor.axes[first] == tensor.axes[second] and tensor.axes[first].size != 1
        if is_alike and all(entry.indices[first] == entry.indices[second] for entry in read):
            return first, second
    return None


def _entries(equation: Equation) -> set[Entry]:
    return set().union(*(expr.atoms(Entry) for expr in (equation.body, *equation.indices)))


def _on_diagonal(made: Equation, first: int, second: int) -> Equation:
    """The equation for the entries whose indices at two axes are the same."""
    kept, gone = made.indices[first], made.indices[second]
    loops = tuple(loop for loop in made.loops if loop.index != gone)
    body = made.body.xreplace({gone: kept})
    return replace(made, indices=_without(made.indices, second), loops=loops, body=body)


def _reading(equation: Equation, name: str, axis: int) -> Equation:
    """The equation with entries of a tensor that has lost an axis."""
    changed = {e: Entry(name, _without(e.indices, axis)) for e in _entries(equation) if e.tensor == name}
    if not changed:
        return equation
    indices = tuple(index.xreplace(changed) for index in equation.indices)
    return replace(equation, indices=indices, body=equation.body.xreplace(changed))


def _without(places: tuple[T, ...], axis: int) -> tuple[T, ...]:
    return (*places[:axis], *places[axis + 1 :])
