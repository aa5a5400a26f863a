"""Derivatives as terms of formulas: `d(u, x)`, `d(u, x, t)`, and `stop_gradient(x)`, which has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.spec.language.trees import calls

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from symgrad.spec.language.syntax import Call, Node
    from symgrad.spec.model import FunctionSpec

DERIVATIVE = "d"
"""A user may call a tensor or a function so; that function is meant then."""

STOP_GRADIENT = "stop_gradient"

MAX_ORDER = 6
"""Of the derivatives in one call: the terms of one of order n grow as the partitions of n."""


def is_derivative(call: Call, functions: Collection[str]) -> bool:
    """Whether a call asks for a derivative, where there are functions of these names."""
    return call.function == DERIVATIVE and DERIVATIVE not in functions


def has_derivative(formulas: Iterable[Node], functions: Mapping[str, FunctionSpec]) -> bool:
    """Whether formulas ask for a derivative, themselves or through functions that they call."""
    waiting, seen = list(formulas), set[str]()
    while waiting:
        for call in calls(waiting.pop()):
            if is_derivative(call, functions):
                return True
            if call.function in functions and call.function not in seen:
                seen.add(call.function)
                waiting.append(functions[call.function].formula)
    return False
