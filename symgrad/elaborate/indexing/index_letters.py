"""What formulas call indices, which follows the axes that they run along."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.program import Loop
from symgrad.spec.language.syntax import Index, Name
from symgrad.spec.language.trees import walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from symgrad.calculus.axes import Axes, Axis
    from symgrad.calculus.program import Program
    from symgrad.spec.language.syntax import Node


class IndexLetters:
    """The letters along the axes of tensors, as the first of some formulas has them that names one alone."""

    def __init__(self, formulas: Iterable[Node], values: Iterable[str]) -> None:
        """No letter is what stands for one of these `values`."""
        self.of_places: dict[tuple[str, int], str] = {}
        with_values = frozenset(values)
        for node in (node for formula in formulas for node in walk(formula) if isinstance(node, Index)):
            for number, place in enumerate(node.indices):
                if isinstance(place, Name) and place.id not in with_values:
                    self.of_places.setdefault((node.tensor, number), place.id)

    def along(self, tensor: str, axes: Axes) -> Axes:
        """The axes of a tensor with these letters."""
        return tuple(
            replace(axis, letter=self.of_places.get((tensor, number), axis.letter))
            for number, axis in enumerate(axes)
        )


def with_letters(program: Program, said: Collection[str]) -> Program:
    """The program where an axis of some name without a letter has that of others of this name.

    A word that is not `said` in the spec is no letter, as `t_2` of a layer where the spec has a tensor t.
    """
    known: dict[str, str] = {}
    for axis in (loop.axis for equation in program.equations for loop in equation.loops):
        if axis.name and _is_letter(axis.letter, said):
            known.setdefault(axis.name, axis.letter)

    def told(axis: Axis) -> Axis:
        own = axis.letter if _is_letter(axis.letter, said) else known.get(axis.name or "", "")
        return replace(axis, letter=own)

    equations = (
        replace(e, loops=tuple(Loop(loop.index, told(loop.axis)) for loop in e.loops))
        for e in program.equations
    )
    tensors = (replace(t, axes=tuple(map(told, t.axes))) for t in program.tensors)
    return replace(program, tensors=tuple(tensors), equations=tuple(equations))


def _is_letter(name: str, said: Collection[str]) -> bool:
    return len(name) == 1 or (name in said)
