"""Forward-mode differentiation of a program: what every value changes by where some change in a direction.

For each entry X[α] in an equation's body: SymPy's derivative of the body with respect to that entry, times
the tangent of the entry; their sum, over the loops of the equation. Of a program that has its gradient this
is Pearlmutter's operator R, "Fast exact multiplication by the Hessian", 1994: a gradient's tangent is the
Hessian times the direction. What a recurrence carries from step to step has the tangent that is carried so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.contraction import as_contraction
from symgrad.calculus.deriving.derivatives import derivative_of_reduction, derivatives
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import Equation, Program, Tensor, depending_on
from symgrad.calculus.terms import Entry

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from symgrad.calculus.program import Reduction


def with_tangents(
    program: Program, directions: Mapping[str, str], wanted: Sequence[str]
) -> tuple[Program, dict[str, str]]:
    """The program with the tangents of what is wanted, and their names by those of the tensors.

    `directions` names, for tensors that change, the tensors of the program that say by how much. What does
    not change has no tangent.
    """
    needed = program.needed(wanted)
    forward = _Forward(program, directions, needed)
    for equation in program.equations:
        forward.editor.equations.append(equation)
        if equation.target in needed and equation.target not in directions:
            forward.follow(equation)
    forward.carry()
    return forward.editor.program(), {n: forward.tangent[n] for n in wanted if n in forward.tangent}


class _Forward:
    def __init__(self, program: Program, directions: Mapping[str, str], needed: Collection[str]) -> None:
        self.editor = ProgramEditor(program)
        self.tangent = dict(directions)
        moving = depending_on(program, directions)
        handed = {n: c for n, c in program.carried.items() if n in needed and n in moving}
        self.handed = {name: self.editor.fresh(f"{name}_dot") for name in handed}
        sources = dict.fromkeys(c.source for c in handed.values() if c.source not in handed)
        self.sources = {name: self.editor.fresh(f"{name}_dot") for name in sources}
        for name, tangent in self.handed.items():
            self.editor.tensors[tangent] = replace(program.tensor[name], name=tangent)
        self.tangent |= self.handed

    def follow(self, equation: Equation) -> None:
        """Define the tangent of an equation's target, if what it is made of changes.

        That of a product of matrices is the sum of two.
        """
        changes = [
            derivative * Entry(self.tangent[entry.tensor], entry.indices)
            for entry, derivative in derivatives(equation)
            if entry.tensor in self.tangent and derivative != 0
        ]
        name = equation.target
        if not changes and name not in self.sources:
            return
        if len(changes) > 1 and as_contraction(equation) is not None:
            parts = [self._define(f"{name}_dot_1", equation, change, "sum") for change in changes]
            equation = replace(equation, loops=equation.free, reduction="none")
            changes = [Entry(part, equation.indices) for part in parts]
        total = sp.Add(*changes) * derivative_of_reduction(equation)
        if equation.reduction in ("max", "min"):
            total /= Entry(self._ties(equation), equation.indices)
        linear: Reduction = "none" if equation.is_elementwise else "sum"
        self.tangent[name] = self._define(f"{name}_dot", equation, total, linear, of=name)

    def carry(self) -> None:
        """Say how tangents are carried: what they start with has its own by now, or none."""
        tensors = self.editor.tensors
        for name, tangent in self.handed.items():
            if (carried := tensors[name].carried) is not None:
                source = self.handed.get(carried.source) or self.sources[carried.source]
                handed = replace(carried, source=source, start=self.tangent.get(carried.start, ""))
                tensors[tangent] = replace(tensors[tangent], carried=handed)

    def _ties(self, equation: Equation) -> str:
        """How many attain an extremum: they share its slope."""
        return self._define(f"ties_{equation.target}", equation, derivative_of_reduction(equation), "sum")

    def _define(
        self, wanted: str, equation: Equation, body: sp.Expr, reduction: Reduction, of: str = ""
    ) -> str:
        axes = self.editor.tensors[equation.target].axes
        name = self.sources.get(of) or self.editor.fresh(wanted)
        self.editor.tensors[name] = Tensor(name, axes, "tangent" if of else "temporary", of=of)
        self.editor.add(Equation(name, equation.indices, equation.loops, reduction, body))
        return name
