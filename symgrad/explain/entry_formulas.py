"""Formulas of single entries: a program's equations with numbers for indices.

Sums over axes of fixed size are written out where they are short; sums over free axes keep their Σ.
A log-sum-exp becomes the logarithm of a sum, so that softmax reads `exp(z₁)/(exp(z₁) + exp(z₂))`.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.axes import letters
from symgrad.calculus.program import Equation, Loop, Program
from symgrad.calculus.terms import Entry, delta, entries
from symgrad.notation.reduce import bound_letters, reduced, with_factors_taken_out, with_signs_taken_out

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

MAX_TERMS = 12
"""A sum over fixed axes with more terms keeps its Σ."""
MAX_NODES = 250
"""A formula with more nodes is not written out."""

MAX_DEPTH = 100
"""A chain of more cotangents is not written out."""

Taken = frozenset[str]


class EntryFormulas:
    """What the entries of a program's tensors are; tensors in `hidden` are always written out."""

    def __init__(self, program: Program, hidden: Collection[str]) -> None:
        self.program, self.hidden, self.names = program, hidden, program.names
        self.known: dict[tuple[Entry, Taken], sp.Expr | None] = {}

    def definition(self, entry: Entry) -> sp.Expr:
        """The right side of the entry's equation."""
        return self._definition(entry, self.names)

    def _definition(self, entry: Entry, taken: Taken) -> sp.Expr:
        body, names = self._body(entry, taken)
        parts = {e: self._definition(e, names) for e in entries(body) if e.tensor in self.hidden}
        return with_signs_taken_out(with_factors_taken_out(body.xreplace(parts)))

    def written_out(self, entry: Entry) -> sp.Expr | None:
        """The same with every cotangent in it written out in turn; None if it has more than MAX_NODES nodes.

        What an entry is made of is kept, so those near the loss are best asked for first.
        """
        found = self._written_out(entry, self.names, 0)
        return with_signs_taken_out(with_factors_taken_out(found)) if found is not None else None

    def _written_out(self, entry: Entry, taken: Taken, depth: int) -> sp.Expr | None:
        if (entry, taken) not in self.known:
            self.known[entry, taken] = self._put_together(entry, taken, depth) if depth < MAX_DEPTH else None
        return self.known[entry, taken]

    def _put_together(self, entry: Entry, taken: Taken, depth: int) -> sp.Expr | None:
        body, names = self._body(entry, taken)
        parts: dict[Entry, sp.Expr] = {}
        for inner in filter(self._opens, entries(body)):
            part = self._written_out(inner, names, depth + 1)
            if part is None:
                return None
            parts[inner] = part
        is_short = length(body, {e: length(part) for e, part in parts.items()}) <= MAX_NODES
        return body.xreplace(parts) if is_short else None

    def _body(self, entry: Entry, taken: Taken) -> tuple[sp.Expr, Taken]:
        """The body of the entry's equation, and the names that are taken inside it."""
        names = taken | {str(s) for i in entry.indices for s in i.free_symbols}
        body = body_of_entry(self.program.definition[entry.tensor], entry.indices, names)
        return body, names | bound_letters(body)

    def _opens(self, entry: Entry) -> bool:
        return entry.tensor in self.hidden or self.program.tensor[entry.tensor].kind == "cotangent"


def body_of_entry(equation: Equation, indices: tuple[sp.Expr, ...], taken: Taken) -> sp.Expr:
    """The body of an equation for one entry of its target, reduced.

    Where an index is no loop index of its own, `X[2*i + u]` or `E[w[n], d]`, only those terms count
    whose indices are the entry's.
    """
    bound, agreements = _matched(equation, indices)
    loops = [loop for loop in equation.loops if loop.index not in bound]
    fixed = [loop for loop in loops if not loop.axis.is_free]
    if prod(loop.axis.size or 1 for loop in fixed) > MAX_TERMS:
        fixed = []
    kept = []
    open_loops = [loop for loop in loops if loop not in fixed]
    for loop, index in zip(open_loops, letters([loop.axis for loop in open_loops], taken), strict=True):
        bound[loop.index] = index
        kept.append(Loop(index, loop.axis))
    terms = [
        body
        for numbers in product(*(range(loop.axis.size or 1) for loop in fixed))
        for body in _term(equation, {**bound, **_numbered(fixed, numbers)}, agreements)
    ]
    return _reduced(equation.reduction, terms, kept)


def _matched(
    equation: Equation, indices: tuple[sp.Expr, ...]
) -> tuple[dict[sp.Basic, sp.Expr], list[tuple[sp.Expr, sp.Expr]]]:
    """The loop indices that the entry's indices decide, and the places that must agree with the others."""
    loops = {loop.index for loop in equation.loops}
    bound: dict[sp.Basic, sp.Expr] = {}
    agreements = []
    for place, index in zip(equation.indices, indices, strict=True):
        if place in loops and place not in bound:
            bound[place] = index
        else:
            agreements.append((place, index))
    return bound, agreements


def _numbered(loops: list[Loop], numbers: tuple[int, ...]) -> dict[sp.Basic, sp.Expr]:
    return {loop.index: sp.Integer(n) for loop, n in zip(loops, numbers, strict=True)}


def _term(
    equation: Equation, at: dict[sp.Basic, sp.Expr], agreements: list[tuple[sp.Expr, sp.Expr]]
) -> Iterator[sp.Expr]:
    """The body at some indices, if its indices can be the entry's."""
    body = equation.body.xreplace(at)
    for place, index in agreements:
        body *= delta(place.xreplace(at), index)
    if body != 0 or equation.reduction != "sum":
        yield body


def _reduced(kind: str, terms: list[sp.Expr], kept: list[Loop]) -> sp.Expr:
    match kind:
        case "logsumexp":
            return sp.log(reduced("sum", sp.Add(*map(sp.exp, terms)), kept))
        case "max" | "min":
            extreme = sp.Max if kind == "max" else sp.Min
            return reduced(kind, terms[0] if len(terms) == 1 else extreme(*terms, evaluate=False), kept)
    return reduced("sum", sp.Add(*terms), kept)


def length(expr: sp.Expr, lengths: Mapping[Entry, int] | None = None) -> int:
    """How long an expression is, in nodes, where entries have the given lengths, 1 if none."""
    if isinstance(expr, Entry) or not expr.args:
        return (lengths or {}).get(expr, 1)
    return 1 + sum(length(a, lengths) for a in expr.args)
