"""Forms that are the same whatever tensors are called, and what of a sequence comes again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from symgrad.calculus.terms import Entry, drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    import sympy as sp

    from symgrad.calculus.program import Equation


def equation_form(equation: Equation, tensor: Callable[[str], Hashable]) -> Hashable:
    """All of an equation but the names of its tensors, for which `tensor` says what stands, and streams."""
    target = tensor(equation.target)
    loops = tuple((loop.index, loop.axis.extent) for loop in equation.loops)
    indices = tuple(expression_form(index, tensor) for index in equation.indices)
    body = expression_form(equation.body, tensor)
    return target, indices, loops, equation.reduction, bool(equation.onto), body


def expression_form(expr: sp.Basic, tensor: Callable[[str], Hashable]) -> Hashable:
    """The same of an expression."""
    if isinstance(expr, Entry):
        return tensor(expr.tensor), tuple(expression_form(index, tensor) for index in expr.indices)
    arguments = expr.args[1:] if isinstance(expr, drawn) else expr.args
    parts = tuple(expression_form(argument, tensor) for argument in arguments)
    return (type(expr), parts) if parts else cast("Hashable", expr)


def longest_repeat(shapes: Sequence[int], start: int, least: int, most: int) -> tuple[int, int]:
    """How many of a sequence, up to `most`, come again from `start` on, and how often.

    Of all runs that come `least` times the one that covers the most; 0 and 0 without one.
    """
    best = (0, 0)
    for period in range(1, min(most, (len(shapes) - start) // least) + 1):
        first, times = shapes[start : start + period], 1
        while shapes[start + times * period : start + (times + 1) * period] == first:
            times += 1
        if times >= least and period * times > best[0] * best[1]:
            best = (period, times)
    return best
