"""Placements of placements as one: `pad(pad(x, 1, 1), 2, 1)` puts every entry where it ends up.

`T[p(i)] += x[i]` puts entries of x into T, and `S[q(j)] += T[j]` those of T into S. Where nothing else reads
T, that is `S[q(p(i))] += x[i]`: one pass over the entries of x, and no T.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.calculus.program import Equation, Program, canonical, check
from symgrad.calculus.terms import Entry, leading

if TYPE_CHECKING:
    import sympy as sp


def with_single_placements(program: Program) -> Program:
    """The program without temporaries that are only put elsewhere."""
    readers = Counter(name for equation in program.equations for name in equation.reads)
    alone = {t.name for t in program.tensors if t.kind == "temporary" and readers[t.name] == 1}
    kept: dict[str, Equation] = {}
    for equation in program.equations:
        read = equation.body.tensor if isinstance(equation.body, Entry) else ""
        found = _as_one(equation, kept[read]) if read in alone and read in kept else None
        if found is not None:
            del kept[read]
        kept[equation.target] = found or equation
    gone = program.definition.keys() - kept.keys()
    tensors = tuple(tensor for tensor in program.tensors if tensor.name not in gone)
    return check(replace(program, tensors=tensors, equations=tuple(kept.values()))) if gone else program


def _as_one(outer: Equation, inner: Equation) -> Equation | None:
    """What `inner` puts into the tensor that `outer` puts elsewhere, put there at once."""
    loops = {loop.index for loop in outer.loops}
    read = outer.body.indices if isinstance(outer.body, Entry) else ()
    if not (_is_placement(outer) and _is_placement(inner)) or len(read) != len(loops) or {*read} != loops:
        return None
    first = dict(zip(read, inner.indices, strict=True))
    moved = {index: _form(place) for index, place in first.items()}
    places = (first[i] if i in first else leading(_form(i).xreplace(moved)) for i in outer.indices)
    return canonical(replace(inner, target=outer.target, indices=tuple(places)))


def _is_placement(equation: Equation) -> bool:
    return equation.scatters and equation.reduction == "sum" and not equation.onto


def _form(index: sp.Expr) -> sp.Expr:
    return index.replace(leading, lambda inner: inner)
