"""How far values of sigmoid and tanh are from 1, computed from their argument where derivatives ask for it.

A value that is nearly 1 has no digits left that tell how far: 1 - A of sigmoid at 40 would be 0 instead of
4.2e-18. But it is σ(-v), and every sum over powers of A that vanishes at A = 1 has it as a factor; for
A = tanh(v), 1 - A is 2σ(-2v) and 1 + A is 2σ(2v). A·(1 - A) and 1 - A² are the slopes. Of a value that is
kept, these are computed in the pass that computes the value. What is shown stays the formula in A.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.editing import ProgramEditor
from symgrad.calculus.real import with_parts
from symgrad.calculus.terms import Entry, Named, delta, entries, sigmoid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.calculus.program import Equation, Program


class sigmoid_slope(Named):
    """The slope of sigmoid, positive."""


class tanh_slope(Named):
    """The slope of tanh, positive."""


A, V = sp.Dummy("A"), sp.Dummy("v", real=True)
BELOW, ABOVE, DERIVATIVE = (sp.Dummy(name, positive=True) for name in ("below", "above", "slope"))
"""1 - A, 1 + A, and the derivative of A."""
NAMES = {BELOW: "below", ABOVE: "above", DERIVATIVE: "slope"}


@dataclass(frozen=True)
class _Function:
    """The distances from the ends of its values, by the end; two factors of its slope; formulas in v."""

    ends: Mapping[int, sp.Dummy]
    factors: tuple[sp.Dummy, sp.Dummy]
    formulas: Mapping[sp.Dummy, sp.Expr]


FUNCTIONS: Mapping[type, _Function] = {
    sigmoid: _Function({1: BELOW}, (A, BELOW), {BELOW: sigmoid(-V), DERIVATIVE: sigmoid_slope(V)}),
    sp.tanh: _Function(
        {1: BELOW, -1: ABOVE},
        (BELOW, ABOVE),
        {BELOW: 2 * sigmoid(-2 * V), ABOVE: 2 * sigmoid(2 * V), DERIVATIVE: tanh_slope(V)},
    ),
}


def derivatives_with_values(program: Program) -> Program:
    """The program with tensors of slopes and distances beside the tensors of values."""
    return _Derivatives(program).run()


class _Derivatives:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.editor = ProgramEditor(program)
        self.holder = _holders(program)
        self.beside: dict[str, dict[sp.Dummy, Equation]] = {}

    def run(self) -> Program:
        equations = [self._with_derivatives(e) for e in self.program.equations]
        spare = self._spare_slopes()
        for equation in equations:
            # Before the value, which may then be written over its argument.
            for formed in self.beside.get(equation.target, {}).values():
                self.editor.add(formed)
            self.editor.add(_with_products(equation, spare))
        return self.editor.program()

    def _spare_slopes(self) -> dict[str, tuple[str, str]]:
        """Slopes of sigmoids A whose 1 - A is kept too are left out: they are the product of both."""
        spare = {}
        for value, formed in self.beside.items():
            if {BELOW, DERIVATIVE} <= formed.keys() and type(self.holder[value].body) is sigmoid:
                left_out = formed.pop(DERIVATIVE).target
                del self.editor.tensors[left_out]
                spare[left_out] = value, formed[BELOW].target
        return spare

    def _with_derivatives(self, equation: Equation) -> Equation:
        if not self.program.tensor[equation.target].is_slope:
            return equation
        body = self._in_distances(equation.body)
        made_of_one = [(e, h) for e, h in self._holders(body) if type(h.body) not in FUNCTIONS]
        for entry, holder in made_of_one:
            # The slope of √A or A² may be written in that value itself: 1 - √A⁴ is 1 - A².
            written_out = body.xreplace({entry: holder.at(entry.indices)})
            changed = self._in_distances(written_out)
            body = changed if changed != written_out else body
        return equation.with_body(body)

    def _in_distances(self, body: sp.Expr) -> sp.Expr:
        for entry, holder in self._holders(body):
            if type(holder.body) in FUNCTIONS:
                changed = in_distances(body, entry, FUNCTIONS[type(holder.body)])
                body = changed.xreplace({m: self._beside(entry, m, holder) for m in NAMES if changed.has(m)})
        for value in sorted(body.atoms(*FUNCTIONS), key=_nodes, reverse=True):
            function = FUNCTIONS[type(value)]
            changed = in_distances(body, value, function)
            body = changed.xreplace({m: f.xreplace({V: value.args[0]}) for m, f in function.formulas.items()})
        return body

    def _holders(self, body: sp.Expr) -> list[tuple[Entry, Equation]]:
        """What the body reads of values that are a function here, or are made of one, entry by entry."""
        return [(entry, self.holder[entry.tensor]) for entry in entries(body) if entry.tensor in self.holder]

    def _beside(self, value: Entry, wanted: sp.Dummy, holder: Equation) -> Entry:
        formed = self.beside.setdefault(value.tensor, {})
        if wanted not in formed:
            axes = self.program.tensor[value.tensor].axes
            name = self.editor.new_tensor(f"{value.tensor}_{NAMES[wanted]}", axes, "derivative")
            formula = FUNCTIONS[type(holder.body)].formulas[wanted]
            formed[wanted] = replace(holder, target=name, body=formula.xreplace({V: holder.body.args[0]}))
        return Entry(formed[wanted].target, value.indices)


def _with_products(equation: Equation, spare: Mapping[str, tuple[str, str]]) -> Equation:
    """The equation with products of two tensors in place of one."""
    read = {e: spare[e.tensor] for e in entries(equation.body) if e.tensor in spare}
    products = {e: sp.Mul(*(Entry(factor, e.indices) for factor in factors)) for e, factors in read.items()}
    return replace(equation, body=equation.body.xreplace(products)) if products else equation


def in_distances(expr: sp.Expr, value: sp.Expr, function: _Function) -> sp.Expr:
    """The expression with symbols for distances of a function's value from its ends, and for its slope."""
    first, second = (value if factor is A else factor for factor in function.factors)
    return _with_slope(_with_ends(expr, value, function.ends), first, second)


def _with_ends(expr: sp.Expr, value: sp.Expr, ends: Mapping[int, sp.Dummy]) -> sp.Expr:
    """Conditions stay as they are: the forward pass decided by them."""
    if expr == value or not expr.args or isinstance(expr, Entry | delta | sp.Rel) or not expr.has(value):
        return expr
    expr = with_parts(expr, lambda part: _with_ends(part, value, ends))
    return _sum_with_ends(expr, value, ends) if expr.is_Add else expr


def _sum_with_ends(expr: sp.Expr, value: sp.Expr, ends: Mapping[int, sp.Dummy]) -> sp.Expr:
    """Polynomials in the value, with rational coefficients, each times what else its terms hold."""
    polynomials: dict[sp.Expr, dict[int, sp.Expr]] = {}
    for term in expr.args:
        number, product = term.as_coeff_Mul()
        powers = dict(factor.as_base_exp() for factor in sp.Mul.make_args(product))
        power = powers.get(value, sp.Integer(0))
        if not power.is_Integer:
            power = sp.Integer(0)
        polynomials.setdefault(product / value**power, {})[int(power)] = number
    parts = [other * _by_ends(polynomial, value, ends) for other, polynomial in polynomials.items()]
    return sp.Add(*parts)


def _by_ends(polynomial: Mapping[int, sp.Expr], value: sp.Expr, ends: Mapping[int, sp.Dummy]) -> sp.Expr:
    """The polynomial with a factor for each end at which it vanishes."""
    least, most = min(polynomial), max(polynomial)
    coefficients: Sequence[sp.Expr] = [
        polynomial.get(power, sp.Integer(0)) for power in range(most, least - 1, -1)
    ]
    product = value**least
    for end, distance in ends.items():
        while len(coefficients) > 1:
            *quotient, remainder = _divided(coefficients, end)
            if remainder != 0:
                break
            coefficients, product = quotient, (distance if end < 0 else -distance) * product
    return product * sp.Add(*(c * value**power for power, c in enumerate(reversed(coefficients))))


def _divided(coefficients: Sequence[sp.Expr], root: int) -> list[sp.Expr]:
    """The coefficients, the highest first, of the quotient by A - root, and the remainder."""
    return list(accumulate(coefficients, lambda total, coefficient: total * root + coefficient))


def _with_slope(expr: sp.Expr, first: sp.Expr, second: sp.Expr) -> sp.Expr:
    """Products of whole powers of both factors as powers of the slope."""
    if not expr.args or isinstance(expr, Entry | delta | sp.Rel) or not expr.has(second):
        return expr
    expr = with_parts(expr, lambda part: _with_slope(part, first, second))
    powers = dict(f.as_base_exp() for f in expr.args) if expr.is_Mul else {}
    found = [powers.get(factor, sp.Integer(0)) for factor in (first, second)]
    if not all(power.is_number and power >= 1 for power in found):
        return expr
    count = sp.floor(min(found))
    return expr / (first * second) ** count * DERIVATIVE**count


def _holders(program: Program) -> dict[str, Equation]:
    """The values that hold a sigmoid or tanh, or a formula in one alone, written out, in each entry."""
    found: dict[str, Equation] = {}
    for equation in program.equations:
        is_value = not program.tensor[equation.target].is_slope
        if not is_value or not equation.is_elementwise or equation.scatters:
            continue
        held = {e: found[e.tensor] for e in entries(equation.body) if e.tensor in found}
        body = equation.body.xreplace(
            {e: h.at(e.indices) for e, h in held.items() if type(h.body) not in FUNCTIONS}
        )
        kept = {e for e, h in held.items() if type(h.body) in FUNCTIONS}
        if type(equation.body) in FUNCTIONS or _is_of_one_value(body, kept):
            found[equation.target] = replace(equation, body=body)
    return found


def _is_of_one_value(body: sp.Expr, kept: set[Entry]) -> bool:
    values = kept & set(entries(body)) or body.atoms(*FUNCTIONS)
    return len(values) == 1 and not entries(body.xreplace(dict.fromkeys(values, A)))


def _nodes(expr: sp.Basic) -> int:
    return sum(1 for _ in sp.preorder_traversal(expr))
