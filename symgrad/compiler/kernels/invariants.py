"""What is computed once: before a loop it does not change in, or once for several uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.terms import Entry, delta, entries, indices_in, is_infinite, is_whole

if TYPE_CHECKING:
    from collections.abc import Container, Iterable


def collect_fixed(expr: sp.Expr, inner: set[sp.Basic], made: set[str], found: dict[sp.Expr, None]) -> None:
    """The largest sub-expressions that use neither `inner` indices nor tensors made here.

    Not those of indices alone, which would be numbers, and no indices any more where they stand as such.
    """
    if (
        not isinstance(expr, sp.Expr)
        or expr.is_number
        or isinstance(expr, sp.Symbol | delta)
        or is_whole(expr)
        or is_infinite(expr)
    ):
        return
    depends = indices_in(expr) & inner or any(e.tensor in made for e in entries(expr))
    if not depends:
        found[expr] = None
        return
    if isinstance(expr, Entry):
        return
    if expr.is_Mul or expr.is_Add:
        fixed = [
            a for a in expr.args if not (indices_in(a) & inner or any(e.tensor in made for e in entries(a)))
        ]
        worth = [a for a in fixed if not a.is_number]
        for argument in (*worth, *(a for a in expr.args if a not in fixed)):
            collect_fixed(argument, inner, made, found)
        return
    arguments = expr.args
    if isinstance(expr, sp.Piecewise):
        arguments = tuple(part for value, condition in expr.args for part in (value, *condition.args))
    for argument in arguments:
        collect_fixed(argument, inner, made, found)


def repeated_calls(bodies: Iterable[sp.Expr], made: set[str], known: Container[sp.Expr]) -> list[sp.Expr]:
    """Function values that bodies need twice, what stands inside another first.

    Not those that only one branch of a choice needs, that read tensors made here, or are known.
    """
    counts: dict[sp.Expr, int] = {}

    def visit(expr: sp.Expr) -> None:
        if isinstance(expr, Entry | delta | sp.Piecewise) or expr in known:
            return
        if expr in counts:
            counts[expr] += 1  # what stands inside is needed once only
            return
        for argument in expr.args:
            visit(argument)
        if isinstance(expr, sp.Function) and not {e.tensor for e in entries(expr)} & made:
            counts[expr] = 1

    for body in bodies:
        visit(body)
    return [call for call, count in counts.items() if count > 1]
