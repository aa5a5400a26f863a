"""Arrays that no pass keeps for another one: each forms them again from what they are made of.

Where an array is made entry by entry of one other array and of smaller ones, by a few sums, products and
quotients alone, a pass that reads it can as well read that other one, which is kept instead. So scores that
are normalised lie in memory once, not as such, less their mean, and once more divided by their deviation:
arrays that no cache holds take longer to be written and read than to be formed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import TYPE_CHECKING

import sympy as sp
from sympy.core.relational import Relational

from symgrad.calculus.editing import with_equations
from symgrad.calculus.terms import Entry, divided, entries, indices_in, multiplied
from symgrad.compiler.planning.plan import LoopNest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from symgrad.calculus.program import Equation, Program
    from symgrad.compiler.planning.plan import Phase, Step

_HIDDEN = ("value", "derivative", "temporary", "cotangent", "tangent")
_FEW = 4
"""So many sums, products and powers a pass forms while it waits for its arrays."""
_LEAST_AXES = 2
_LEAST_PASSES = 2
"""An array that one other pass reads is as well written for it."""


def formed_again(program: Program, phases: tuple[Phase, ...]) -> Program:
    """The program whose passes, as these phases have them, hand no such array to one another."""
    passes = _Passes(program, phases)
    again: dict[str, Equation] = {}
    equations = []
    for equation in program.equations:
        known = [entry for entry in entries(equation.body) if entry.tensor in again]
        apart = [e for e in known if not passes.are_together(e.tensor, equation.target)]
        equations.append(_formed(equation, again, apart))
        whole = _formed(equation, again, known)
        if passes.may_form_again(whole):
            again[equation.target] = whole
    return _without_unread(with_equations(program, equations), again) if again else program


def _formed(equation: Equation, again: Mapping[str, Equation], read: Iterable[Entry]) -> Equation:
    """The equation with what it reads of some tensors formed in it."""
    found = {entry: _kept_together(again[entry.tensor].at(entry.indices)) for entry in read}
    return equation.with_body(equation.body.xreplace(found)) if found else equation


def _kept_together(body: sp.Expr) -> sp.Expr:
    """A product or quotient as it was formed by itself, before it is multiplied by anything else."""
    if not body.is_Mul:
        return body
    above, below = body.as_numer_denom()
    product = reduce(multiplied, sp.Mul.make_args(above))
    return product if below == 1 else divided(product, below)


def _without_unread(program: Program, names: Iterable[str]) -> Program:
    """The program without those of these tensors that nothing needs any more."""
    unread = {*names} - program.needed(program.results)
    equations = tuple(e for e in program.equations if e.target not in unread)
    tensors = tuple(t for t in program.tensors if t.name not in unread)
    return replace(program, equations=equations, tensors=tensors)


@dataclass(frozen=True)
class _Passes:
    """Which equations are computed together, in the same loops, and who reads what."""

    program: Program
    phases: tuple[Phase, ...]

    def are_together(self, name: str, reader: str) -> bool:
        """Whether a tensor is made wherever a reader of it is computed."""
        return all(name in group for nest in self._nests for group in nest if reader in group)

    def may_form_again(self, equation: Equation) -> bool:
        """Whether what an equation makes lies in memory for passes alone that can form it themselves."""
        name = equation.target
        readers = [reader for reader in self.program.equations if name in reader.reads]
        return (
            self._passes_beside(name, {reader.target for reader in readers}) >= _LEAST_PASSES
            and self._is_hidden(name)
            and name in self._in_plain_passes
            and self._is_formed_fast(equation)
            and all(_reads_entry_by_entry(reader, name) for reader in readers)
            and self._in_plain_passes.issuperset(reader.target for reader in readers)
        )

    def _passes_beside(self, name: str, readers: set[str]) -> int:
        """How many passes read a tensor in loops that do not make it."""
        return sum(any(group & readers and name not in group for group in nest) for nest in self._nests)

    def _is_hidden(self, name: str) -> bool:
        tensor = self.program.tensor[name]
        is_own = tensor.kind in _HIDDEN and name not in self.program.results
        return is_own and len(tensor.axes) >= _LEAST_AXES

    def _is_formed_fast(self, equation: Equation) -> bool:
        """Whether it is made of one array as large, which lies in memory, and of smaller ones."""
        if not equation.is_elementwise or equation.scatters or not _is_simple(equation.body):
            return False
        found = entries(equation.body)
        large = [entry for entry in found if len(indices_in(entry)) == len(equation.loops)]
        if len(large) != 1 or large[0].indices != equation.indices:
            return False
        source = self.program.tensor[large[0].tensor]
        is_kept = source.kind in _HIDDEN and source.name not in self._never_stored
        is_plain = all(isinstance(index, sp.Symbol) for entry in found for index in entry.indices)
        return is_plain and (source.kind == "input" or is_kept)

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return tuple(step for phase in self.phases for step in phase.steps)

    @cached_property
    def _nests(self) -> tuple[tuple[frozenset[str], ...], ...]:
        """What each nest makes in the same loops."""
        nests = (step for step in self._steps if isinstance(step, LoopNest))
        return tuple(tuple(frozenset(e.target for e in group) for _, group in n.parts()) for n in nests)

    @cached_property
    def _in_plain_passes(self) -> frozenset[str]:
        """What is made in loops that neither call a library nor hand anything on from turn to turn."""
        others = (step for step in self._steps if not _is_plain_pass(step))
        made = {e.target for step in self._steps for e in step.equations}
        return frozenset(made - {e.target for step in others for e in step.equations})

    @cached_property
    def _never_stored(self) -> frozenset[str]:
        nests = (step for step in self._steps if isinstance(step, LoopNest))
        return frozenset[str]().union(*(nest.local for nest in nests))


def _is_plain_pass(step: Step) -> bool:
    return isinstance(step, LoopNest) and not step.has_products and not step.all_carried


def _reads_entry_by_entry(reader: Equation, name: str) -> bool:
    """Whether each entry of a tensor is read once by an equation that chooses nothing by it."""
    if reader.scatters or reader.reduction not in ("none", "sum"):
        return False
    loops = {loop.index for loop in reader.loops}
    tests = reader.body.atoms(Relational)
    is_tested = any(entry.tensor == name for test in tests for entry in entries(test))
    read = (entry for entry in entries(reader.body) if entry.tensor == name)
    return not is_tested and all({*entry.indices} == loops for entry in read)


def _is_simple(body: sp.Expr) -> bool:
    """Whether it is more than an entry, and made of entries by few sums, products and whole powers."""
    parts = [*sp.preorder_traversal(body)]
    formed = [part for part in parts if isinstance(part, sp.Add | sp.Mul | sp.Pow)]
    powers = (part.exp for part in formed if isinstance(part, sp.Pow))
    known = (*formed, *(p for p in parts if isinstance(p, Entry | sp.Symbol | sp.Number)))
    return 0 < len(formed) <= _FEW and len(known) == len(parts) and all(e in (-2, -1, 2) for e in powers)
