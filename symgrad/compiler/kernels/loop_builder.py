"""Loops over tensors as they are built, one instruction after another, and what they compute once."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from symgrad.calculus.axes import letters
from symgrad.calculus.terms import Entry, extent_symbol
from symgrad.compiler.kernels.instructions import (
    Applied,
    Assign,
    Cell,
    Expression,
    ForRange,
    Instruction,
    Literal,
    Summed,
    Variable,
    When,
)
from symgrad.compiler.kernels.invariants import collect_fixed, repeated_calls
from symgrad.compiler.kernels.lowering import Lowering, lowered_index, product
from symgrad.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import sympy as sp

    from symgrad.calculus.axes import Axis
    from symgrad.calculus.program import Loop

COUNT = extent_symbol("_count")
"""How many steps the part has that is being computed."""


class LoopBuilder:
    """Instructions in loops; `known` is what holds indices, sizes and expressions computed before.

    What counts the turns of a loop is called as in formulas, unless that is `reserved`, or another's that may
    be open `together` with it. `names` are of tensors, `extents` of free axes; tensors in `local` are plain
    variables.
    """

    def __init__(
        self,
        together: Sequence[Sequence[Loop]],
        names: Mapping[str, str],
        extents: Mapping[str, str],
        local: Collection[str],
        reserved: Collection[str],
    ) -> None:
        self.names, self.extents, self.local = names, extents, local
        self.taken = {*names.values(), *extents.values()}
        self.counters = _counters(together, {*self.taken, *reserved})
        self.taken |= {variable.name for variable in self.counters.values()}
        self.indices = {loop.index: variable for loop, variable in self.counters.items()}
        self.known: dict[sp.Basic, Expression] = dict(self.indices)
        self.lower = Lowering(self.entry, self.known)
        self.open: list[ForRange | When] = []
        self.bodies: list[list[Instruction]] = [[]]

    @property
    def depth(self) -> int:
        """How many loops are open."""
        return len(self.open)

    def entry(self, entry: Entry) -> Cell | Variable:
        """Where an entry is: `Z1[n, i]`."""
        array = Variable(self.names[entry.tensor])
        if entry.tensor in self.local:
            return array
        return Cell(array, tuple(map(self.index, entry.indices)))

    def index(self, index: sp.Expr) -> Expression:
        """One of an entry's indices."""
        return self.entry(index) if isinstance(index, Entry) else lowered_index(index, self.known)

    def put(self, instruction: Instruction) -> None:
        """Add an instruction."""
        self.bodies[-1].append(instruction)

    def loop(self, loop: Loop, size: Expression | None = None) -> None:
        """Open a loop, over the size of its axis or another expression of it; what comes stands inside."""
        self.begin(ForRange(self.counter(loop), size or self.extent(loop)))

    def counter(self, loop: Loop) -> Variable:
        """What counts the turns of a loop that is opened now."""
        self.indices[loop.index] = self.known[loop.index] = self.counters[loop]
        return self.counters[loop]

    def extent(self, loop: Loop) -> Expression:
        """How often it runs."""
        if loop.axis.within is not None:
            return self.known[COUNT]
        return Literal(loop.axis.size) if loop.axis.size else Variable(self.extents[str(loop.axis.name)])

    def term(self, axis: Axis) -> sp.Expr:
        """The size of an axis as a term, which is known: of steps in a part, how many this part has."""
        return COUNT if axis.within is not None else axis.extent

    def count_steps(self, parts: Loop, axis: Axis) -> None:
        """Write how many steps a part has, where the last one may have fewer: at the beginning of a part."""
        if axis.size is None or axis.within is None:
            raise InternalError(f"{axis} has the same number in each part")
        count = self.fresh("steps")
        before = product([Literal(axis.size), self.indices[parts.index]])
        left = Summed(((False, lowered_index(axis.within.extent, self.known)), (True, before)))
        self.put(Assign(count, Applied("min", (Literal(axis.size), left))))
        self.known[COUNT] = count

    def begin(self, loop: ForRange | When) -> None:
        """Open a loop that has no instructions yet, or what is done under a condition."""
        self.open.append(loop)
        self.bodies.append([])

    def close(self, depth: int) -> None:
        """Close loops until so many are open."""
        while self.depth > depth:
            loop = self.open.pop()
            body = tuple(self.bodies.pop())
            self.put(replace(loop, body=body))

    def hoist(self, bodies: Iterable[sp.Expr], inner: set[sp.Basic], made: set[str], prefix: str) -> None:
        """Give what does not change in the loops to come, over `inner`, a name before them."""
        found: dict[sp.Expr, None] = {}
        for body in bodies:
            collect_fixed(body, inner, made, found)
        for expr in [e for e in found if e not in self.known]:
            self._name(expr, prefix)

    def share_calls(self, bodies: Iterable[sp.Expr], made: set[str]) -> None:
        """Give function values that the bodies need twice a name."""
        for call in repeated_calls(bodies, made, self.known):
            self._name(call, "f")

    def forget(self, before: Mapping[sp.Basic, Expression]) -> None:
        """Drop the names given since."""
        for expr in [e for e in self.known if e not in before]:
            dropped = self.known.pop(expr)
            self.taken -= {dropped.name} if isinstance(dropped, Variable) else set()

    def fresh(self, name: str) -> Variable:
        """A variable that bears no other's name."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return Variable(name)

    def _name(self, expr: sp.Expr, prefix: str) -> None:
        name = next(f"{prefix}{k}" for k in range(10**6) if f"{prefix}{k}" not in self.taken)
        variable = self.fresh(name)
        self.put(Assign(variable, self.formed(expr)))
        self.known[expr] = variable

    def formed(self, expr: sp.Expr) -> Expression:
        """What is computed for an expression that gets a name."""
        return self.lower(expr)


def _counters(together: Sequence[Sequence[Loop]], taken: Collection[str]) -> dict[Loop, Variable]:
    """What counts the turns of each loop: of loops that are the same, one that formulas have a letter for."""
    axes: dict[Loop, Axis] = {}
    for loop in chain.from_iterable(together):
        if loop not in axes or not axes[loop].letter:
            axes[loop] = loop.axis
    number = {loop: n for n, loop in enumerate(axes)}
    groups = [{number[loop] for loop in loops} for loops in together]
    found = letters([*axes.values()], taken, groups)
    return {loop: Variable(index.name) for loop, index in zip(axes, found, strict=True)}
