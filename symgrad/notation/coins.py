"""Numbers that are drawn to decide between 1 and 0 alone: they are written as Bernoulli's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import Entry, drawn, entries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from symgrad.calculus.program import Program


def coins(program: Program) -> Mapping[str, sp.Expr]:
    """The tensors of numbers u drawn evenly that are read as 1 where u < p, else 0, and the p of each."""
    waiting = {e.target for e in program.equations if isinstance(e.body, drawn)}
    found: dict[str, sp.Expr] = {}
    for equation in program.equations if waiting else ():
        if not equation.reads & waiting:
            continue
        thrown = {c: toss for c in equation.body.atoms(sp.Piecewise) if (toss := as_toss(c)) is not None}
        others = equation.body.xreplace(dict.fromkeys(thrown, sp.Integer(0)))
        waiting -= {entry.tensor for entry in entries(others)}
        for entry, share in thrown.values():
            if found.setdefault(entry.tensor, share) != share:
                waiting.discard(entry.tensor)
    return {name: share for name, share in found.items() if name in waiting}


def as_toss(choice: sp.Piecewise) -> tuple[Entry, sp.Expr] | None:
    """u and p where this is 1 for u < p, else 0, p being a number; else None."""
    if len(choice.args) != 2:
        return None
    (kept, condition), (lost, _) = choice.args
    if (kept, lost) != (1, 0) or not isinstance(condition, sp.StrictLessThan):
        return None
    entry, share = condition.args
    return (entry, share) if isinstance(entry, Entry) and share.is_number else None
