"""Matrices of derivatives: a program that gives a product with a direction, for every unit vector at once.

Where the direction of one tensor is δ, 1 in the entry that the axes in front name and 0 in all others, what
depends on it has these axes in front too, and sums with δ are decided.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Loop, Program, depending_on
from symgrad.calculus.terms import Entry, delta, index_symbol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.calculus.axes import Axes


def for_every_entry(
    program: Program, direction: str, shared: int, zero: Sequence[str], outputs: Sequence[str]
) -> Program:
    """The program of these outputs with the axes of a direction in front, but the first `shared` ones.

    Along those all entries are 1 at once: each is that of its own row. The directions `zero` are 0.
    """
    found = _Every(program.giving(outputs), direction, shared, zero)
    for equation in found.program.equations:
        found.follow(equation)
    names = tuple(map(found.with_axes, outputs))
    return found.editor.program(outputs=names, prediction=(), loss=None, gradients=())


class _Every:
    def __init__(self, program: Program, direction: str, shared: int, zero: Sequence[str]) -> None:
        self.program, self.editor = program, ProgramEditor(program)
        self.direction, self.shared, self.zero = direction, shared, frozenset(zero)
        axes = program.tensor[direction].axes[shared:]
        self.loops = tuple(Loop(index_symbol(f"_e{number}"), axis) for number, axis in enumerate(axes))
        self.indices = tuple(loop.index for loop in self.loops)
        self.in_front: set[str] = set()
        for name in (direction, *zero):
            del self.editor.tensors[name]
        moving = depending_on(program, [direction])
        for name in [name for name in self.program.carried if name in moving]:
            self._put_in_front(name)
        self.waiting, self.sources = {*self.program.carried}, set[str]()

    def follow(self, equation: Equation) -> None:
        """The equation for every entry of the direction."""
        while waiting := (equation.reads | self.sources) & self.waiting:
            self._start(min(waiting))
        depends = equation.reads & ({self.direction} | self.in_front)
        body = self._at_entry(equation.body)
        if not depends:
            self.editor.add(equation.with_body(body))
            return
        self._put_in_front(equation.target)
        self.editor.add(
            replace(
                equation,
                indices=(*self.indices, *equation.indices),
                loops=(*self.loops, *equation.loops),
                body=body,
            )
        )

    def with_axes(self, name: str) -> str:
        """An output with these axes in front; one that does not depend on the direction is repeated."""
        if name in self.in_front:
            return name
        axes = self.editor.tensors[name].axes
        own = tuple(Loop(index_symbol(f"_o{number}"), axis) for number, axis in enumerate(axes))
        indices = tuple(loop.index for loop in own)
        repeated = self.editor.new_tensor(f"{name}_every", self._axes(axes), "tangent")
        body = Entry(name, indices)
        self.editor.add(Equation(repeated, (*self.indices, *indices), (*self.loops, *own), "none", body))
        return repeated

    def _axes(self, axes: Axes) -> Axes:
        return (*(loop.axis for loop in self.loops), *axes)

    def _put_in_front(self, name: str) -> None:
        tensor = self.editor.tensors[name]
        carried = tensor.carried and replace(tensor.carried, along=tensor.carried.along + len(self.loops))
        self.editor.tensors[name] = replace(tensor, axes=self._axes(tensor.axes), carried=carried)
        self.in_front.add(name)

    def _start(self, name: str) -> None:
        """Give what is carried a start with the axes that it has now."""
        self.waiting.discard(name)
        tensor = self.editor.tensors[name]
        self.sources |= {tensor.carried.source} if tensor.carried else set()
        if tensor.carried is None or not (start := tensor.carried.start):
            return
        if start in self.zero:
            start = ""
        elif start == self.direction:
            start = self._unit_vectors(f"{name}_start")
        elif name in self.in_front:
            start = self.with_axes(start)
        self.editor.tensors[name] = replace(tensor, carried=replace(tensor.carried, start=start))

    def _unit_vectors(self, wanted: str) -> str:
        """The direction itself, as a tensor: every unit vector."""
        axes = self.program.tensor[self.direction].axes
        own = tuple(Loop(index_symbol(f"_o{number}"), axis) for number, axis in enumerate(axes))
        indices = tuple(loop.index for loop in own)
        name = self.editor.new_tensor(wanted, self._axes(axes), "tangent")
        body = self._at_entry(Entry(self.direction, indices))
        self.editor.add(Equation(name, (*self.indices, *indices), (*self.loops, *own), "none", body))
        return name

    def _at_entry(self, expr: sp.Expr) -> sp.Expr:
        here: dict[sp.Basic, sp.Expr] = {}
        for entry in expr.atoms(Entry):
            if entry.tensor == self.direction:
                places = zip(self.indices, entry.indices[self.shared :], strict=True)
                here[entry] = sp.Mul(*(delta(seed, index) for seed, index in places))
            elif entry.tensor in self.zero:
                here[entry] = sp.Integer(0)
            elif entry.tensor in self.in_front:
                here[entry] = Entry(entry.tensor, (*self.indices, *entry.indices))
        return expr.xreplace(here)
