"""The text of loops over tensors, line by line, and the names of what they compute once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.calculus.terms import Entry
from symgrad.compiler.kernels.invariants import collect_fixed, repeated_calls
from symgrad.compiler.targets.numba.printer import Printer, print_index

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import sympy as sp

    from symgrad.calculus.program import Loop

INDEX_NAMES = ("n", "i", "j", "k", "l", "m", "p", "q", "r", "u", "v", "w")


class LoopText:
    """Lines at a depth; `symbols` are what indices, sizes and expressions computed before are called.

    `names` are of tensors, `extents` of free axes; tensors in `local` are plain variables.
    """

    def __init__(
        self,
        indices: Iterable[sp.Symbol],
        names: Mapping[str, str],
        extents: Mapping[str, str],
        local: Collection[str],
    ) -> None:
        self.names, self.extents, self.local = names, extents, local
        self.lines: list[str] = []
        self.depth = 0
        taken = {*names.values(), *extents.values()}
        free = (n for n in (*INDEX_NAMES, *(f"i{k}" for k in range(99))) if n not in taken)
        self.symbols: dict[sp.Basic, str] = {index: next(free) for index in dict.fromkeys(indices)}
        self.printer = Printer(self.entry, self.symbols)

    def entry(self, entry: Entry) -> str:
        """The text of an entry: `Z1[n, i]`."""
        name = self.names[entry.tensor]
        if entry.tensor in self.local:
            return name
        places = [
            self.entry(i) if isinstance(i, Entry) else print_index(i, self.symbols) for i in entry.indices
        ]
        return f"{name}[{', '.join(places) or '0'}]"

    def put(self, line: str) -> None:
        """Add a line."""
        self.lines.append("    " * self.depth + line)

    def loop(self, loop: Loop, size: str = "") -> None:
        """Open a loop, over the size of its axis or a text for it; the lines to come stand inside."""
        size = size or str(loop.axis.size or self.extents[str(loop.axis.name)])
        self.put(f"for {self.symbols[loop.index]} in range({size}):")
        self.depth += 1

    def hoist(self, bodies: Iterable[sp.Expr], inner: set[sp.Basic], made: set[str], prefix: str) -> None:
        """Give what does not change in the loops to come, over `inner`, a name before them."""
        found: dict[sp.Expr, None] = {}
        for body in bodies:
            collect_fixed(body, inner, made, found)
        for expr in [e for e in found if e not in self.symbols]:
            self._name(expr, prefix)

    def share_calls(self, bodies: Iterable[sp.Expr], made: set[str]) -> None:
        """Give function values that the bodies need twice a name."""
        for call in repeated_calls(bodies, made, self.symbols):
            self._name(call, "f")

    def forget(self, before: Mapping[sp.Basic, str]) -> None:
        """Drop the names given since."""
        for expr in [e for e in self.symbols if e not in before]:
            del self.symbols[expr]

    def _name(self, expr: sp.Expr, prefix: str) -> None:
        taken = {*self.names.values(), *self.extents.values(), *self.symbols.values()}
        name = next(f"{prefix}{k}" for k in range(10**6) if f"{prefix}{k}" not in taken)
        self.put(f"{name} = {self.printer(expr)}")
        self.symbols[expr] = name
