"""Reverse-mode differentiation of a program, one equation at a time.

For each entry X[α] in an equation's body: SymPy's derivative of the body with respect to that entry,
times the cotangent of the left-hand side, summed over every loop whose index is not in α.

What a recurrence carries from step to step gives its cotangent on at the step that it was carried from: that
is carried the other way. So the derivative of a recurrence is one too, and what it gives to parameters a sum.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.deriving.derivatives import derivative_of_reduction, derivatives
from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.program import (
    Carried,
    Equation,
    Gradient,
    Loop,
    Program,
    Reduction,
    Tensor,
    depending_on,
)
from symgrad.calculus.terms import Entry, delta, index_symbol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from symgrad.calculus.axes import Axes


def differentiate(
    program: Program,
    wrt: Sequence[str],
    prefix: str = "d",
    seeds: Mapping[str, str] | None = None,
    held: Collection[str] = (),
) -> Program:
    """The program followed by the derivatives of its loss with respect to `wrt`, named with `prefix`.

    With `seeds`, tensors of the program by the names of those whose cotangents they are, these are pulled
    back instead of the loss's 1. Those that are `held` count as constants, whose derivatives are 0.
    """
    return _Backward(program, wrt, prefix, seeds, held).run()


@dataclass(frozen=True)
class _Contribution:
    """A summand of a cotangent: `indices += Σ over the loops not in the indices of body`."""

    indices: tuple[sp.Expr, ...]
    loops: tuple[Loop, ...]
    body: sp.Expr

    @property
    def scatters(self) -> bool:
        return Equation("", self.indices, self.loops, "sum", self.body).scatters

    @property
    def is_elementwise(self) -> bool:
        return not self.scatters and len(self.indices) == len(self.loops)


class _Backward:
    def __init__(
        self,
        program: Program,
        wrt: Sequence[str],
        prefix: str,
        seeds: Mapping[str, str] | None,
        held: Collection[str],
    ) -> None:
        self.program, self.prefix, self.seeds = program, prefix, seeds
        self.wrt = tuple(wrt)
        self.editor = ProgramEditor(program)
        self.editor.equations += program.equations
        self.contributions: dict[str, list[_Contribution]] = {}
        self.cotangent: dict[str, sp.Expr] = {}
        self.active = depending_on(program, [name for name in wrt if name not in held])
        roots = seeds if seeds is not None else filter(None, [program.loss])
        needed = program.needed(roots)
        self.handed = tuple(n for n, c in program.carried.items() if n in needed and c.reads & self.active)
        self.read = set[str]().union(*(equation.reads for equation in program.equations))
        self.named: dict[str, str] = {}

    def run(self) -> Program:
        if self.seeds is not None:
            self.contributions = {name: [self._seed(name, seed)] for name, seed in self.seeds.items()}
        elif self.program.loss is not None:
            self.contributions[self.program.loss] = [_Contribution((), (), sp.Integer(1))]
        complete = self._complete_after()
        self._hand_back()
        for equation in reversed(self.program.equations):
            if equation.target in self.active and self.contributions.get(equation.target):
                self._adjoint(equation)
            for name in complete.get(equation.target, ()):
                self._give_to_start(name)
        gradients = tuple(Gradient(name, str(self._cotangent(name).tensor)) for name in self.wrt)
        return self.editor.program(gradients=gradients)

    def _seed(self, name: str, seed: str) -> _Contribution:
        loops = self._loops_over(name)
        indices = tuple(loop.index for loop in loops)
        return _Contribution(indices, loops, Entry(seed, indices))

    def _complete_after(self) -> dict[str, list[str]]:
        """Which gradients are complete once an equation, going backward, is done: the first to read it."""
        first: dict[str, list[str]] = {}
        waiting = {*self.wrt, *self.handed} & {*self.wrt, *self.read}
        for equation in self.program.equations:
            handed = equation.reads & {*self.handed}
            reads = equation.reads | {self.program.carried[name].start for name in handed}
            found = sorted(waiting & reads, key=lambda name: (name not in self.handed, name))
            first[equation.target] = found
            waiting -= reads
        return first

    # Recurrences ----------------------------------------------------------------------------

    def _hand_back(self) -> None:
        """Let what is carried from step to step receive its cotangent from the step it was carried to."""
        for name in self.handed:
            before = self.program.carried[name]
            axes = self.editor.tensors[name].axes
            cotangent = self.editor.new_tensor(f"{self.prefix}{name}", axes, "cotangent", of=name)
            self.named[name] = cotangent
            if before.source not in self.active:
                continue
            word = "earlier" if before.back else "later"
            later = self.editor.fresh(f"{self.prefix}{before.source}_{word}")
            handed = Carried(cotangent, before.along, not before.back)
            self.editor.tensors[later] = Tensor(later, axes, "carried", carried=handed)
            self.contributions.setdefault(before.source, []).append(self._seed(before.source, later))
        for name in self.handed:
            if name not in self.read:
                self._give_to_start(name)

    def _give_to_start(self, name: str) -> None:
        """Complete a cotangent; that of the first step is given to what a carried tensor starts with."""
        given, carried = self._cotangent(name), self.program.carried.get(name)
        if carried is None or carried.start not in self.active:
            return
        axis = self.editor.tensors[name].axes[carried.along]
        loops = self._loops_over(name)
        indices = tuple(loop.index for loop in loops)
        first = axis.place(axis.whole - 1) if carried.back else sp.Integer(0)
        body = given.xreplace({indices[carried.along]: first})
        others = tuple(loop for number, loop in enumerate(loops) if number != carried.along)
        target = tuple(loop.index for loop in others)
        self.contributions.setdefault(carried.start, []).append(_Contribution(target, others, body))

    # One equation ---------------------------------------------------------------------------

    def _adjoint(self, equation: Equation) -> None:
        cotangent = self._cotangent(equation.target).xreplace(self._aligned(equation))
        weight = cotangent * self._weight(equation)
        found = [(e, weight * d) for e, d in derivatives(equation) if e.tensor in self.active and d != 0]
        if equation.is_elementwise and not equation.scatters:
            found = self._with_shared_named(equation, found)
        for entry, body in found:
            self._contribute(entry, equation.loops, body)

    def _with_shared_named(
        self, equation: Equation, found: list[tuple[Entry, sp.Expr]]
    ) -> list[tuple[Entry, sp.Expr]]:
        """What several entries receive alike, as a and z do from tanh(a + z), is computed once."""
        counts = Counter(body for _, body in found if not isinstance(body, Entry) and body.atoms(Entry))
        named = {}
        for body in [b for b, count in counts.items() if count > 1]:
            name = f"{self.prefix}{equation.target}_net"
            name = self._define_temporary(name, equation.indices, equation.loops, body, "none")
            named[body] = Entry(name, equation.indices)
        return [(entry, named.get(body, body)) for entry, body in found]

    def _aligned(self, equation: Equation) -> dict[sp.Symbol, sp.Expr]:
        return dict(zip(_standard_indices(len(equation.indices)), equation.indices, strict=True))

    def _weight(self, equation: Equation) -> sp.Expr:
        """The derivative of the reduction with respect to its body; ties share the slope of an extremum."""
        derivative = derivative_of_reduction(equation)
        if equation.reduction not in ("max", "min"):
            return derivative
        name = f"ties_{equation.target}"
        name = self._define_temporary(name, equation.indices, equation.loops, derivative, "sum")
        return derivative / Entry(name, equation.indices)

    def _contribute(self, entry: Entry, loops: tuple[Loop, ...], body: sp.Expr) -> None:
        """Add a summand to the cotangent of `entry`; an axis of size 1 counts as run through."""
        axes = self.editor.tensors[entry.tensor].axes
        indices, extra = list(entry.indices), []
        for number, (index, axis) in enumerate(zip(entry.indices, axes, strict=True)):
            if index == 0 and axis.size == 1:
                indices[number] = index_symbol(f"_one{number}")
                extra.append(Loop(indices[number], axis))
        contribution = _Contribution(tuple(indices), (*loops, *extra), body)
        self.contributions.setdefault(entry.tensor, []).append(_as_delta(contribution, axes))

    # Cotangents -----------------------------------------------------------------------------

    def _cotangent(self, name: str) -> sp.Expr:
        """The cotangent at the standard indices, defined when it is first asked for."""
        if name not in self.cotangent:
            self.cotangent[name] = self._close(name)
        return self.cotangent[name]

    def _close(self, name: str) -> Entry:
        axes = self.editor.tensors[name].axes
        loops = self._loops_over(name)
        indices = tuple(loop.index for loop in loops)
        found = self.contributions.get(name, [])
        target = self.named.get(name) or self.editor.fresh(f"{self.prefix}{name}")
        if len(found) == 1 and not found[0].is_elementwise:
            (only,) = found
            self._define(target, axes, only.indices, only.loops, only.body, "sum", of=name)
            return Entry(target, indices)
        total = sp.Integer(0)
        for contribution in found:
            if contribution.is_elementwise:
                aligned = dict(zip(contribution.indices, indices, strict=True))
                total += contribution.body.xreplace(aligned)
            else:
                part = self._define_part(target, axes, contribution)
                total += Entry(part, indices)
        self._define(target, axes, indices, loops, total, "none", of=name)
        return Entry(target, indices)

    def _loops_over(self, name: str) -> tuple[Loop, ...]:
        axes = self.editor.tensors[name].axes
        return tuple(Loop(i, axis) for i, axis in zip(_standard_indices(len(axes)), axes, strict=True))

    def _define_part(self, target: str, axes: Axes, contribution: _Contribution) -> str:
        name = self.editor.fresh(f"{target}_1")
        self._define(name, axes, contribution.indices, contribution.loops, contribution.body, "sum")
        return name

    def _define_temporary(
        self,
        wanted: str,
        indices: tuple[sp.Expr, ...],
        loops: tuple[Loop, ...],
        body: sp.Expr,
        reduction: Reduction,
    ) -> str:
        axis_of = {loop.index: loop.axis for loop in loops}
        name = self.editor.fresh(wanted)
        self._define(name, tuple(axis_of[p] for p in indices), indices, loops, body, reduction)
        return name

    def _define(
        self,
        name: str,
        axes: Axes,
        indices: tuple[sp.Expr, ...],
        loops: tuple[Loop, ...],
        body: sp.Expr,
        reduction: Reduction,
        of: str = "",
    ) -> None:
        self.editor.tensors[name] = Tensor(name, axes, "cotangent", of=of)
        self.editor.add(Equation(name, indices, loops, reduction, body))


def _standard_indices(rank: int) -> tuple[sp.Symbol, ...]:
    return tuple(index_symbol(f"_d{number}") for number in range(rank))


def _as_delta(contribution: _Contribution, axes: Axes) -> _Contribution:
    """A scatter to labelled entries, `X[n, t[n]]`, written with Kronecker's delta.

    Only where the labels depend on indices of the target, so that the delta costs no extra sum.
    """
    indices, loops, body = list(contribution.indices), list(contribution.loops), contribution.body
    symbols = {p for p in indices if isinstance(p, sp.Symbol)}
    for number, label in enumerate(contribution.indices):
        if not isinstance(label, Entry) or not set(label.indices) <= symbols:
            continue
        indices[number] = index_symbol(f"_label{number}")
        loops.append(Loop(indices[number], axes[number]))
        body = body * delta(label, indices[number])
    return _Contribution(tuple(indices), tuple(loops), body)
