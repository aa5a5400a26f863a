"""Expressions over single entries as numbers: what the scalar view and the Jacobians say, evaluated."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from symgrad.calculus.terms import Entry, Named, delta, shifted
from symgrad.notation.reduce import Over

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FUNCTIONS: dict[str, Callable[..., float]] = {
    "leading": lambda i: i,
    "Add": lambda *a: math.fsum(a),
    "Mul": lambda *a: math.prod(a),
    "Pow": lambda a, b: a**b,
    "exp": math.exp,
    "log": math.log,
    "tanh": math.tanh,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "sin": math.sin,
    "cos": math.cos,
    "atan": math.atan,
    "erf": math.erf,
    "Abs": abs,
    "floor": math.floor,
    "stop_gradient": lambda a: a,
    "Max": max,
    "Min": min,
    "sign": lambda a: float(np.sign(a)),
    "And": lambda *a: all(a),
    "Or": lambda *a: any(a),
    "Equality": lambda a, b: a == b,
    "Unequality": lambda a, b: a != b,
    "StrictLessThan": lambda a, b: a < b,
    "LessThan": lambda a, b: a <= b,
    "StrictGreaterThan": lambda a, b: a > b,
    "GreaterThan": lambda a, b: a >= b,
}
REDUCED: dict[str, Callable[[list[float]], float]] = {"sum": math.fsum, "max": max, "min": min}


class EntryValues:
    """Evaluates expressions; `entry` gives the value of an entry, `sizes` those of the free axes."""

    def __init__(self, entry: Callable[[str, tuple[int, ...]], float], sizes: Mapping[str, int]) -> None:
        self.entry, self.sizes = entry, sizes

    def value(self, expr: sp.Basic, at: Mapping[str, int]) -> Any:
        """The expression's value where the indices have the values `at`."""
        if isinstance(expr, Entry):
            return self.entry(expr.tensor, tuple(int(self.value(i, at)) for i in expr.indices))
        if isinstance(expr, delta):
            return float(self.value(expr.args[0], at) == self.value(expr.args[1], at))
        if isinstance(expr, shifted):
            return self.value(expr.args[0], at) - self.value(expr.args[1], at)
        if isinstance(expr, Named):
            return self.value(type(expr).formula(*expr.args), at)
        if isinstance(expr, Over):
            return REDUCED[expr.kind](self._terms(expr, at))
        if isinstance(expr, sp.Piecewise):
            return next(self.value(v, at) for v, condition in expr.args if self.value(condition, at))
        if isinstance(expr, sp.Symbol):
            return self.sizes[expr.name] if expr.is_positive else at[expr.name]
        if not expr.args:
            return bool(expr) if expr in (sp.true, sp.false) else float(expr)
        return FUNCTIONS[type(expr).__name__](*(self.value(a, at) for a in expr.args))

    def _terms(self, expr: Over, at: Mapping[str, int]) -> list[float]:
        names = [str(index) for index, _ in expr.ranges]
        spans = [range(int(self.value(extent, at))) for _, extent in expr.ranges]
        return [self.value(expr.body, {**at, **dict(zip(names, n, strict=True))}) for n in product(*spans)]
