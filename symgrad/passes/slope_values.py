"""Slopes of sigmoid and tanh computed with their values, where those are read again as A·(1 - A) or 1 - A².

A value that is nearly 1 has no digits left that tell how far from 1 it is: the slope of sigmoid at 40 would
be 0 instead of 4.2e-18. So it is formed from the smaller of A and 1 - A, as the value is, in the pass that
computes the value. What is shown stays the formula in A.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.names import Names
from symgrad.calculus.program import Equation, Program, Tensor, check
from symgrad.calculus.terms import Entry, Named, entries, sigmoid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class sigmoid_slope(Named):
    """The slope of sigmoid, positive."""

    is_positive = True
    formula = staticmethod(lambda x: sigmoid(x) * sigmoid(-x))


class tanh_slope(Named):
    """The slope of tanh, positive."""

    is_positive = True
    formula = staticmethod(lambda x: 4 * sigmoid(2 * x) * sigmoid(-2 * x))


def slopes_with_values(program: Program) -> Program:
    """The program with tensors of slopes beside the tensors of values that they are formed with."""
    return _Slopes(program).run()


class _Slopes:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.names = Names(program.tensor)
        self.slope_of: dict[str, Equation] = {}

    def run(self) -> Program:
        held = {e.target: e for e in self.program.equations if _holds_function(e)}
        equations = [self._with_slopes(e, held) for e in self.program.equations]
        placed: list[Equation] = []
        for equation in equations:
            # Before the value, which may then be written over its argument.
            placed += [self.slope_of[equation.target]] if equation.target in self.slope_of else []
            placed.append(equation)
        tensors = [self._tensor(slope, value) for value, slope in self.slope_of.items()]
        return check(
            replace(self.program, tensors=(*self.program.tensors, *tensors), equations=tuple(placed))
        )

    def _tensor(self, slope: Equation, value: str) -> Tensor:
        return Tensor(slope.target, self.program.tensor[value].axes, "slope")

    def _with_slopes(self, equation: Equation, held: Mapping[str, Equation]) -> Equation:
        if self.program.tensor[equation.target].kind != "cotangent":
            return equation
        body = equation.body
        for entry in [e for e in entries(body) if e.tensor in held]:
            holder = held[entry.tensor]
            body = _replaced(body, entry, type(holder.body), partial(self._slope, entry, holder))
        for value in body.atoms(sigmoid, sp.tanh):
            body = _replaced(body, value, type(value), partial(_SLOPES[type(value)], value.args[0]))
        return replace(equation, body=body) if body != equation.body else equation

    def _slope(self, value: Entry, holder: Equation) -> Entry:
        if value.tensor not in self.slope_of:
            name = self.names.claim(f"{value.tensor}_slope")
            body = _SLOPES[type(holder.body)](holder.body.args[0])
            self.slope_of[value.tensor] = replace(holder, target=name, body=body)
        return Entry(self.slope_of[value.tensor].target, value.indices)


def _replaced(expr: sp.Expr, value: sp.Expr, function: type, slope: Callable[[], sp.Expr]) -> sp.Expr:
    """The expression with the slope of a function in place of its formula in the function's value."""
    if not expr.args or isinstance(expr, Entry) or not expr.has(value):
        return expr
    parts = [_replaced(a, value, function, slope) for a in expr.args]
    expr = expr.func(*parts) if parts != list(expr.args) else expr
    if function is sp.tanh:
        return _without_squares(expr, value, slope)
    for factor in expr.args if expr.is_Mul else ():
        base, power = factor.as_base_exp()
        scale = _multiple(base, 1 - value)
        if scale and power.is_positive and _divides(value, expr):
            return expr / base / value * scale * slope()
    return expr


def _without_squares(expr: sp.Expr, value: sp.Expr, slope: Callable[[], sp.Expr]) -> sp.Expr:
    """A sum with a number and -c·A², in which 1 - A² is the slope: c·(slope - 1) takes the term's place."""
    number = expr.as_coeff_Add()[0] if expr.is_Add else sp.Integer(0)
    for term in expr.args if number else ():
        scale = -term / value**2
        if scale.is_number and scale * number > 0:
            return expr - term - scale + scale * slope()
    return expr


def _multiple(expr: sp.Expr, of: sp.Expr) -> sp.Expr:
    """The number c where an expression is c times another one; 0 if it is not."""
    number = expr.as_coeff_Add()[0] if expr.is_Add else sp.Integer(0)
    return number if number and expr == sp.expand(number * of) else sp.Integer(0)


_SLOPES: Mapping[type, type[Named]] = {sigmoid: sigmoid_slope, sp.tanh: tanh_slope}


def _holds_function(equation: Equation) -> bool:
    """Whether a tensor holds a sigmoid or tanh for each of its entries."""
    return equation.is_elementwise and equation.is_plain and type(equation.body) in _SLOPES


def _divides(factor: sp.Expr, product: sp.Expr) -> bool:
    """Whether the factor, or a positive whole power of it, stands in a product."""
    for other in sp.Mul.make_args(product):
        base, power = other.as_base_exp()
        if base == factor and power.is_Integer and power > 0:
            return True
    return False
