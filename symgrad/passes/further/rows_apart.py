"""A program for each row of a batch alone: what it computes for a batch of one, for all rows at once.

A sum over rows is that of one row, and the number of rows is 1: what the rows were summed into has an axis of
rows in front. So dW = Σ_n xₙᵀ·dzₙ becomes dW[n] = xₙᵀ·dzₙ.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Loop, Program
from symgrad.calculus.terms import Entry, extent_symbol, index_symbol
from symgrad.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.calculus.axes import Axes, Axis
    from symgrad.errors import Position

_ROW = index_symbol("_row")
_ONE = sp.Integer(1)


def rows_apart(
    program: Program, rows: str, outputs: Sequence[str], at: Position, number: sp.Expr = _ONE
) -> Program:
    """The program of these outputs for every row by itself; each has an axis of rows in front.

    `number` is what the number of rows is: 1 in batches of one, their own where the rows stay in theirs.

    Raises:
        SpecError: rows are paired with other rows.
    """
    apart = _Apart(program.giving(outputs), rows, at, number)
    for equation in apart.program.equations:
        apart.follow(equation)
    apart.check_carried()
    names = tuple(map(apart.with_rows, outputs))
    return apart.editor.program(outputs=names, prediction=(), loss=None, gradients=())


class _Apart:
    def __init__(self, program: Program, rows: str, at: Position, number: sp.Expr) -> None:
        self.program, self.at, self.editor = program, at, ProgramEditor(program)
        self.axis: Axis = next(axis for axis in program.free_axes if axis.name == rows)
        self.has_rows = {t.name for t in program.tensors if self.axis in t.axes}
        self.in_front: set[str] = set()
        self.numbers = {extent_symbol(rows): number}

    def follow(self, equation: Equation) -> None:
        """The equation for one row, which is every one in turn."""
        if not (self._loops_over_rows(equation) or equation.reads & (self.has_rows | self.in_front)):
            self.editor.add(equation.with_body(equation.body.xreplace(self.numbers)))
            return
        loops = self._loops_over_rows(equation)
        if len(loops) > 1:
            problem = f"'{equation.target}' pairs rows with other rows, so no row has derivatives of its own"
            raise SpecError(problem, at=self.at, remedy="leave it out")
        equation = equation.renamed({loops[0].index: _ROW} if loops else {})
        body, indices = self._at_row(equation.body), tuple(map(self._at_row, equation.indices))
        kept = tuple(loop for loop in equation.loops if loop.index != _ROW)
        if equation.target not in self.has_rows:
            self._put_in_front(equation.target)
            indices = (_ROW, *indices)
        reduction = equation.reduction if equation.scatters or equation.bound else "none"
        over = (Loop(_ROW, self.axis), *kept)
        changed = Equation(equation.target, indices, over, reduction, body, equation.onto)
        is_plain = changed.reduction != "none" and not changed.scatters and not changed.bound
        self.editor.add(replace(changed, reduction="none") if is_plain else changed)

    def check_carried(self) -> None:
        """Demand that what recurrences carry has rows where its source has them.

        Raises:
            SpecError: one has none, and what comes back to it is summed over rows.
        """
        for name, carried in self.program.carried.items():
            if carried.source in self.in_front and name not in self.in_front:
                problem = "a recurrence has no rows, and what comes back to it is summed over these"
                raise SpecError(problem, at=self.at, remedy="leave it out")

    def with_rows(self, name: str) -> str:
        """An output with its axis of rows; one that is the same for all is repeated."""
        if name in self.has_rows | self.in_front:
            return name
        tensor = self.editor.tensors[name]
        loops = tuple(Loop(index_symbol(f"_r{number}"), axis) for number, axis in enumerate(tensor.axes))
        indices = tuple(loop.index for loop in loops)
        repeated = self.editor.new_tensor(f"{name}_rows", self._axes(tensor.axes), "cotangent")
        whole = (Loop(_ROW, self.axis), *loops)
        self.editor.add(Equation(repeated, (_ROW, *indices), whole, "none", Entry(name, indices)))
        return repeated

    def _loops_over_rows(self, equation: Equation) -> list[Loop]:
        return [loop for loop in equation.loops if loop.axis.fits(self.axis)]

    def _axes(self, axes: Axes) -> Axes:
        return (self.axis, *axes)

    def _put_in_front(self, name: str) -> None:
        tensor = self.editor.tensors[name]
        self.editor.tensors[name] = replace(tensor, axes=self._axes(tensor.axes))
        self.in_front.add(name)

    def _at_row(self, expr: sp.Expr) -> sp.Expr:
        """The expression with the row's own entries, and what stands for the number of rows."""
        here = {
            entry: Entry(entry.tensor, (_ROW, *entry.indices))
            for entry in expr.atoms(Entry)
            if entry.tensor in self.in_front
        }
        return expr.xreplace(here).xreplace(self.numbers)
