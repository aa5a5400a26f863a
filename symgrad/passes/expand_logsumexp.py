"""log-sum-exp spelled out for the machine: shift by the maximum, sum, take the logarithm.

With M = max v, E = exp(v - M) and S = Σ E the value is M + log S. A difference w - L, w one of the
summed v, becomes (w - M) - log S, which is exact even where v is so large that log S vanishes beside M;
exp(w - L) becomes E/S.

Where the summed v hold logarithms, or are hidden as -inf by data or in what a recurrence carries, all of
them may be -∞. Then M is 0, so that the value is -∞ and not NaN, and E/S is 0 in a slope; where they are
hidden, in a value too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

import sympy as sp

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.masks import Hiding
from symgrad.calculus.program import Equation, Program, canonical
from symgrad.calculus.real import Piecewise
from symgrad.calculus.simplifying.reuse import bindings
from symgrad.calculus.terms import Entry, delta, entries, log1p, shifted

Empty: TypeAlias = Literal["never", "in logarithms", "hidden"]
"""How all terms of one sum can be -∞."""


def expand_logsumexp(program: Program) -> Program:
    """The program without the reduction logsumexp."""
    return _Expander(program).run()


class _Parts:
    """One log-sum-exp and the names of its maximum, exponentials and sum."""

    def __init__(self, equation: Equation, maximum: str, exponentials: str, total: str, empty: Empty) -> None:
        self.equation, self.empty = equation, empty
        self.maximum, self.exponentials, self.total = maximum, exponentials, total
        self.order = tuple(loop.index for loop in equation.loops)

    def share(self, numerator: sp.Expr, indices: tuple[sp.Expr, ...], in_slope: bool) -> sp.Expr:
        """An exponential as a part of the sum."""
        total = Entry(self.total, indices)
        share = numerator / total
        may_be_0 = self.empty == "hidden" or (self.empty == "in logarithms" and in_slope)
        return Piecewise((0, sp.Eq(total, 0)), (share, True)) if may_be_0 else share

    def summand_at(self, expr: sp.Expr, indices: tuple[sp.Expr, ...]) -> tuple[sp.Expr, ...] | None:
        """The indices at which `expr` is one of the summed terms of the entry at `indices`."""
        start = dict(zip(self.equation.indices, indices, strict=True))
        body = self.equation.body
        for binding in bindings(entries(body), entries(expr), start):
            if body.xreplace(binding) == expr and set(self.order) <= binding.keys():
                return tuple(binding[i] for i in self.order)
        return None


class _Expander:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.editor = ProgramEditor(program)
        self.hiding = Hiding(program)
        self.parts: dict[str, _Parts] = {}
        self.in_slope = False

    def run(self) -> Program:
        for equation in self.program.equations:
            self.in_slope = self.program.tensor[equation.target].is_slope
            changed = canonical(replace(equation, body=self._spelled(equation.body)))
            if equation.reduction == "logsumexp":
                self._define(changed)
            else:
                self.editor.add(changed)
        return self.editor.program()

    def _define(self, equation: Equation) -> None:
        indices, body, add = equation.indices, equation.body, self.editor.add
        order = tuple(loop.index for loop in equation.loops)
        maximum = self._name("max", equation, indices)
        exponentials = self._name("exp", equation, order)
        total = self._name("sum", equation, indices)
        shift = sp.exp(shifted(body, Entry(maximum, indices)))
        empty = self._may_be_empty(equation)
        if empty != "never":
            largest = self._name("largest", equation, indices)
            finite = Piecewise((Entry(largest, indices), _is_finite(Entry(largest, indices))), (0, True))
            add(replace(equation, target=largest, reduction="max"))
            add(Equation(maximum, indices, equation.free, "none", finite))
        else:
            add(replace(equation, target=maximum, reduction="max"))
        add(Equation(exponentials, order, equation.loops, "none", shift))
        add(replace(equation, target=total, reduction="sum", body=Entry(exponentials, order)))
        value = Entry(maximum, indices) + sp.log(Entry(total, indices))
        add(Equation(equation.target, indices, equation.free, "none", value))
        self.parts[equation.target] = _Parts(equation, maximum, exponentials, total, empty)

    def _may_be_empty(self, equation: Equation) -> Empty:
        """How all that is summed can be -∞."""
        if self.hiding.all_of(equation):
            return "hidden"
        needed = self.program.needed(equation.reads)
        bodies = [equation.body, *(e.body for e in self.program.equations if e.target in needed)]
        return "in logarithms" if any(body.has(sp.log, log1p) for body in bodies) else "never"

    def _name(self, prefix: str, equation: Equation, indices: tuple[sp.Expr, ...]) -> str:
        axis_of = {loop.index: loop.axis for loop in equation.loops}
        of = equation.body.tensor if isinstance(equation.body, Entry) else equation.target
        return self.editor.new_tensor(f"{prefix}_{of}", tuple(axis_of[i] for i in indices))

    def _spelled(self, expr: sp.Expr) -> sp.Expr:
        if not expr.args or isinstance(expr, Entry | delta):
            return expr
        if isinstance(expr, sp.exp):
            after = self._exponential(expr.args[0])
        else:
            after = self._difference(expr) if expr.is_Add else expr
        if after != expr:
            return self._spelled(after)
        parts = [self._spelled(a) for a in expr.args]
        return expr.func(*parts) if parts != list(expr.args) else expr

    def _known(self, expr: sp.Expr) -> list[Entry]:
        return [e for e in entries(expr) if e.tensor in self.parts]

    def _exponential(self, exponent: sp.Expr) -> sp.Expr:
        for entry in self._known(exponent):
            rest = exponent + entry
            if entry in rest.atoms(Entry):
                continue
            parts = self.parts[entry.tensor]
            summand = parts.summand_at(rest, entry.indices)
            if summand is not None:
                return parts.share(Entry(parts.exponentials, summand), entry.indices, self.in_slope)
            exponential = sp.exp(shifted(rest, Entry(parts.maximum, entry.indices)))
            return parts.share(exponential, entry.indices, self.in_slope)
        return sp.exp(exponent)

    def _difference(self, total: sp.Expr) -> sp.Expr:
        """c w - c L, w one of the terms of L, becomes c ((w - M) - log S)."""
        for entry in self._known(total):
            parts = self.parts[entry.tensor]
            for term in total.args:
                factor = -term / entry
                if entry in factor.atoms(Entry):
                    continue
                for other in total.args:
                    summand = other / factor
                    if parts.summand_at(summand, entry.indices) is None:
                        continue
                    shift = shifted(summand, Entry(parts.maximum, entry.indices))
                    exact = factor * (shift - sp.log(Entry(parts.total, entry.indices)))
                    return total - term - other + exact
        return total


def _is_finite(entry: Entry) -> sp.Basic:
    return sp.Eq(shifted(entry, entry), 0)
