"""The order in which the axes of a value lie in memory: that of what it is made of.

`A[n,c,i,j] = relu(Z[n,i,j,c])` lies as Z does, the derivative of the loss with respect to A as A does, and a
value that is another one with its axes in another order, `T[n,i,j,c] = A[n,c,i,j]`, is no copy then. So
layers whose channels stand first cost what others do. Inputs and results lie as they are given and asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.simplify import drop_dead
from symgrad.calculus.terms import Entry, entries

if TYPE_CHECKING:
    from symgrad.calculus.program import Equation, Program

Order: TypeAlias = tuple[int, ...]
"""Which axis of a tensor lies where: the first is that of its number."""


def with_memory_orders(program: Program) -> Program:
    """The program whose entrywise values lie as what they are made of."""
    orders = _Orders(program)
    for equation in program.equations:
        orders.add(equation)
    return drop_dead(orders.editor.program()) if orders.moved else program


class _Orders:
    """The new program so far, and what stands for a tensor now: which one, with its axes in which order."""

    def __init__(self, program: Program) -> None:
        self.editor = ProgramEditor(program)
        self.declared = {t.name for t in program.declared}
        self.moved: dict[str, tuple[str, Order]] = {}

    def add(self, equation: Equation) -> None:
        """The equation over what lies in another order now, itself in the order of what it is made of."""
        changed = equation.with_body(equation.body.xreplace(self._now(equation)))
        order = None if equation.target in self.editor.before.results else self._order(changed)
        stays = order is None or order == tuple(range(len(order)))
        copies = isinstance(changed.body, Entry) and not changed.scatters
        if order is not None and copies and not (stays and changed is equation):
            self.moved[equation.target] = changed.body.tensor, order
            del self.editor.tensors[equation.target]
            return
        if order is None or stays:
            self.editor.add(changed)
            return
        tensor = self.editor.tensors[equation.target]
        axes = tuple(tensor.axes[i] for i in order)
        self.editor.tensors[tensor.name] = replace(tensor, axes=axes, order=order)
        self.moved[tensor.name] = tensor.name, order
        self.editor.add(replace(changed, indices=tuple(changed.indices[i] for i in order)))

    def _now(self, equation: Equation) -> dict[Entry, Entry]:
        """What stands for the entries that an equation reads."""
        found = {
            entry: self.moved[entry.tensor] for entry in entries(equation.body) if entry.tensor in self.moved
        }
        return {entry: Entry(now, [entry.indices[i] for i in order]) for entry, (now, order) in found.items()}

    def _order(self, equation: Equation) -> Order | None:
        """The order of its target's axes that an equation has by what it is made of, if that is one."""
        if equation.scatters:
            _, order = self.moved.get(self.editor.tensors[equation.target].of, ("", None))
            return order
        read = entries(equation.body)
        if not equation.is_elementwise or any(entry.tensor in self.declared for entry in read):
            return None
        rank = len(equation.indices)
        whole = {e.indices for e in read if len(e.indices) == rank and {*e.indices} == {*equation.indices}}
        return tuple(map(equation.indices.index, whole.pop())) if len(whole) == 1 else None
