"""What layers and networks bring along inside an equation of each step: it is made at every step too.

Of `"h[:, t]": dense(h[:, t-1], 8)`, the operand is `h_X`, an equation of each step that nobody wrote. It has
its steps first, and what is made of it reads it at their own step, `h_X[t] @ h_W`. What reads nothing of a
step is made once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.spec.language.sizes.whole_numbers import SIZE
from symgrad.spec.language.syntax import Call, Compare, Index, Name, Node, Number
from symgrad.spec.language.trees import names_in, replaced
from symgrad.spec.model import EachStep, EquationSpec, HidingTensor, ShapeDemand, SizeDemand

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from symgrad.spec.model import ParameterDecl


def brought_along(each: EachStep | None) -> EachStep | None:
    """The steps of what is brought along inside an equation of these steps."""
    return None if each is None else EachStep(each.index, 0, (None,))


class OwnSteps:
    """Equations of each step, where those that are brought along read each other at their own step."""

    def __init__(self, equations: Iterable[EquationSpec], written: Collection[str]) -> None:
        self.written = written
        self.made: dict[str, str] = {}
        """What is brought along and made at every step, by the index that counts these."""
        self.equations = tuple(map(self._equation, equations))

    def parameter(self, parameter: ParameterDecl) -> ParameterDecl:
        """A parameter whose sizes may be those of one step."""
        axes = (axis if isinstance(axis, int | str) else self._read(axis) for axis in parameter.axes)
        return replace(parameter, axes=tuple(axes))

    def demand(self, demand: ShapeDemand | SizeDemand) -> ShapeDemand | SizeDemand:
        """What a layer demands of one step."""
        if isinstance(demand, ShapeDemand):
            return replace(demand, of_each_step=demand.tensor in self.made)
        condition = self._read(demand.condition)
        problem = tuple(part if isinstance(part, str) else self._read(part) for part in demand.problem)
        return (
            replace(demand, condition=condition, problem=problem)
            if isinstance(condition, Compare)
            else demand
        )

    def hiding(self, hiding: HidingTensor) -> HidingTensor:
        """What says to a layer which places of one step are there."""
        return hiding if hiding.most is None else replace(hiding, most=self._read(hiding.most))

    def _equation(self, equation: EquationSpec) -> EquationSpec:
        each = equation.each
        if each is None:
            return equation
        names = names_in(equation.formula)
        if equation.name not in self.written:
            if not names & {each.index, *self.made}:
                return replace(equation, each=None)
            self.made[equation.name] = each.index
        found = replace(equation, formula=self._read(equation.formula))
        return found if found.indices is None else _in_index_notation(found, found.indices, each)

    def _read(self, formula: Node) -> Node:
        """The formula, which reads what was brought along at its own step."""

        def change(node: Node) -> Node | None:
            match node:
                case Call(function, (Name(name) as measured, Number(place)), ()) if function == SIZE:
                    return (
                        replace(node, arguments=(measured, Number(place + 1, node.at)))
                        if name in self.made
                        else node
                    )
                case Call(function) if function == SIZE:
                    return node
                case Name(name, at) if name in self.made:
                    return Index(name, (Name(self.made[name], at),), at)
                case Index(name, indices, at) if name in self.made:
                    return Index(
                        name, (Name(self.made[name], at), *(replaced(i, change) for i in indices)), at
                    )
            return None

        return replaced(formula, change)


def _in_index_notation(equation: EquationSpec, indices: tuple[str, ...], each: EachStep) -> EquationSpec:
    """The equation with its steps among its indices."""
    names = (*indices[: each.along], each.index, *indices[each.along :])
    said = {name: size for name, size in zip(names, each.sizes, strict=False) if size is not None}
    ranges = tuple((said | dict(equation.ranges)).items())
    return replace(equation, indices=names, ranges=ranges, each=None)
