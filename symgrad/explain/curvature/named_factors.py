"""Names for what stands between the matrices of a product: `p = softmax(z)`, `s = exp(z)`."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import Axes, Axis
from symgrad.calculus.program import Equation, Loop, Program, Tensor, canonical, letters_in
from symgrad.calculus.terms import Entry, entries, index_symbol, indices_in

if TYPE_CHECKING:
    from collections.abc import Mapping

LETTERS = SHARES, OTHERS = "p", "s"
"""The letters of what adds up to 1 over its last axis, and of all else: no indices beside them."""


class NamedFactors:
    """Gives every factor that is no entry of a tensor a name, equal ones the same.

    `program` has their equations behind those of the one it began with.
    """

    def __init__(self, program: Program) -> None:
        self.program, self.letters = program, letters_in(program)
        self.known: dict[tuple[sp.Expr, Axes], str] = {}

    def entry(self, factor: sp.Expr, axis_of: Mapping[sp.Symbol, Axis]) -> Entry:
        """The factor as an entry of a tensor, of different indices and places on axes of one."""
        if isinstance(factor, Entry) and self._is_simple(factor):
            return factor
        widest, body = self._with_all_axes(factor)
        own = [i for i in widest.indices if isinstance(i, sp.Symbol)] if widest else []
        known = dict(axis_of)
        if widest:
            known |= dict(zip(own, self.program.tensor[widest.tensor].axes, strict=True))
        others = sorted(indices_in(body) - {*own}, key=lambda i: (not known[i].is_free, str(i)))
        indices = (*own, *others)
        axes = tuple(known[i].at_large for i in indices)
        equation = canonical(Equation("", indices, tuple(map(Loop, indices, axes)), "none", body))
        name = self._name_of(equation, axes)
        at = {i: sp.Integer(0) for i in own if i not in axis_of}
        return Entry(name, tuple(at.get(i, i) for i in indices))

    def _is_simple(self, entry: Entry) -> bool:
        axes = self.program.tensor[entry.tensor].axes
        longer = [i for i, axis in zip(entry.indices, axes, strict=True) if not _is_place_on_one(i, axis)]
        return all(isinstance(i, sp.Symbol) for i in longer) and len({*longer}) == len(longer)

    def _with_all_axes(self, factor: sp.Expr) -> tuple[Entry | None, sp.Expr]:
        """Its entry of most axes, and the factor, with an index for each axis of one that this entry has."""
        widest = max(entries(factor), key=lambda e: len(e.indices), default=None)
        if widest is None or not self._is_simple(widest):
            return None, factor
        axes = self.program.tensor[widest.tensor].axes
        whole = [
            index_symbol(f"_one{number}") if _is_place_on_one(index, axis) else index
            for number, (index, axis) in enumerate(zip(widest.indices, axes, strict=True))
        ]
        changes = {
            entry: Entry(entry.tensor, whole)
            for entry in entries(factor)
            if entry.indices == widest.indices and self.program.tensor[entry.tensor].axes == axes
        }
        return Entry(widest.tensor, whole), factor.xreplace(changes)

    def _name_of(self, equation: Equation, axes: Axes) -> str:
        known = self.known.get((equation.body, axes))
        if known is not None:
            return known
        letter = SHARES if self._is_share(equation.body) else OTHERS
        numbered = (letter if n == 1 else f"{letter}{n}" for n in count(1))
        taken = self.program.names | self.letters
        name = self.known[equation.body, axes] = next(n for n in numbered if n not in taken)
        self.program = replace(
            self.program,
            tensors=(*self.program.tensors, Tensor(name, axes, "temporary")),
            equations=(*self.program.equations, replace(equation, target=name)),
        )
        return name

    def _is_share(self, body: sp.Expr) -> bool:
        """Whether it is exp(x - L), where L is the logarithm of the sum of all exp(x)."""
        read = (self.program.definition.get(e.tensor) for e in entries(body))
        return isinstance(body, sp.exp) and any(e is not None and e.reduction == "logsumexp" for e in read)


def _is_place_on_one(index: sp.Expr, axis: Axis) -> bool:
    return bool(index == 0 and axis.size == 1)
