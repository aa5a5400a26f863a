"""Products in an order in which no part of them leaves the range of the type while the whole stays within it.

SymPy's products know no order: of x·(x/(1 + |x|)) it makes x²/(1 + |x|), which is infinite at 1e200; of
x·(x·σ(x)) one of infinity and 0 at -1e200; of (a/b)² it makes a²/b². So what grows is divided first by what
grows no faster, and by one factor of what is a power, as the square of 1 + x² overflows in x/(1 + x²)²; it
meets what falls to 0 factor by factor; a constant near the largest number comes last.
A pass for computing only; what is shown stays the plain formula.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import reduce
from itertools import zip_longest
from math import isqrt
from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.bounds import Bounds
from symgrad.calculus.contraction import as_product
from symgrad.calculus.editing import with_equations
from symgrad.calculus.real import Piecewise, with_parts
from symgrad.calculus.terms import Entry, delta, divided, indices_in, multiplied
from symgrad.passes.rounding.growth import Growth
from symgrad.spec.language.number_types import LARGEST

if TYPE_CHECKING:
    from symgrad.calculus.program import Program

_MOST_FACTORS = 6
"""So many factors at most are multiplied one after another with what falls to 0."""


def with_factor_orders(program: Program, dtype: str) -> Program:
    """The program with its products in such an order, where their formulas tell that it matters.

    A derivative is a number of its own there: what it is made of is not looked at.
    """
    values = {name: e for name, e in program.definition.items() if not program.tensor[name].is_slope}
    ordering = _Ordering(Growth(Bounds(values)), isqrt(int(LARGEST[dtype])))
    return with_equations(
        program,
        (e if as_product(e) else e.with_body(ordering(e.body)) for e in program.equations),
    )


@dataclass
class _Product:
    """What is left of a product: bases with their powers, above and below the line."""

    above: Counter[sp.Expr] = field(default_factory=Counter)
    below: Counter[sp.Expr] = field(default_factory=Counter)

    @classmethod
    def of(cls, expr: sp.Expr) -> _Product:
        found = cls()
        for factor in sp.Mul.make_args(expr):
            base, exponent = _as_power(factor)
            divides = exponent.is_number and exponent.is_negative
            side = found.below if divides else found.above
            if exponent.is_Integer:
                side[base] += abs(int(exponent))
            else:
                side[base**-exponent if divides else factor] += 1
        return found

    @property
    def expr(self) -> sp.Expr:
        above, below = (sp.Mul(*(b**n for b, n in side.items())) for side in (self.above, self.below))
        return above / below


def _as_power(factor: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """A base and its exponent; of a choice between squares, as a choice squared becomes, that choice."""
    if isinstance(factor, sp.exp):
        return factor, sp.Integer(1)
    if not isinstance(factor, sp.Piecewise):
        base, exponent = factor.as_base_exp()
        return base, exponent
    factors = [part for value, _ in factor.args for part in sp.Mul.make_args(value)]
    powers = [part.as_base_exp()[1] for part in factors if not part.is_number]
    is_power = powers and all(power.is_Integer and power > 0 for power in powers)
    common = sp.gcd(powers) if is_power else sp.Integer(1)
    if not all(_root(number, common).is_Rational for number in factors if number.is_number):
        return factor, sp.Integer(1)  # a rounded root in the text would not be the spec's number
    return Piecewise(*((_root(value, common), c) for value, c in factor.args)), common


def _root(value: sp.Expr, order: sp.Expr) -> sp.Expr:
    powers = (part.as_base_exp() for part in sp.Mul.make_args(value))
    return sp.Mul(*(base ** (exponent / order) for base, exponent in powers))


class _Ordering:
    """`most` is the root of the largest number: beyond it a constant is near that."""

    def __init__(self, growth: Growth, most: int) -> None:
        self.growth, self.most = growth, most

    def __call__(self, expr: sp.Expr) -> sp.Expr:
        if not expr.has(sp.Mul) or isinstance(expr, Entry | delta):
            return expr
        expr = with_parts(expr, self)
        return self._ordered(expr) if expr.is_Mul else expr

    def _ordered(self, expr: sp.Expr) -> sp.Expr:
        number = sp.Mul(*(factor for factor in expr.args if factor.is_number))
        rest = _Product.of(expr / number)
        quotients, fallen = self._quotients(rest), self._fallen(rest)
        if fallen or self._pays(quotients, rest):
            expr = sp.Mul(number, rest.expr, *(divided(a, b) ** n for a, b, n in quotients), *fallen)
        return self._with_last(number, expr / number) or expr

    def _quotients(self, rest: _Product) -> list[tuple[sp.Expr, sp.Expr, int]]:
        """What is taken out of a product: powers of quotients, of what grows no slower above the line."""
        found = []
        for divisor in list(rest.below):
            for base in sorted(rest.above, key=sp.count_ops):
                power = rest.above[base]
                is_square = power == rest.below[divisor] > 1 and _varies_as(divisor, base)
                count = 1 if is_square else self._count(base, divisor)
                times = min(rest.below[divisor], power // count) if count else 0
                if times:
                    rest.above[base] -= count * times
                    rest.below[divisor] -= times
                    found.append((base**count, divisor, times))
            base = self._largest_of_several(+rest.above, divisor)
            if rest.below[divisor] == 1 and base is not None:
                rest.above[base] -= 1
                rest.below[divisor] = 0
                found.append((base, divisor, 1))
            base = self._slower(+rest.above, divisor)
            if rest.below[divisor] > 1 and base is not None:
                rest.above[base] -= 1
                rest.below[divisor] -= 1
                found.append((base, divisor, 1))
        rest.above, rest.below = +rest.above, +rest.below
        return found

    def _largest_of_several(self, above: Counter[sp.Expr], divisor: sp.Expr) -> sp.Expr | None:
        """What is divided first where only several together grow as fast: |x|·x/(1 + |x|^1.5)."""
        below = self.growth.of(divisor)
        growing = {base: powers for base in above if (powers := self.growth.of(base)).keys() & below.keys()}
        slower = [
            base
            for base, powers in growing.items()
            if _varies_as(divisor, base) and all(power <= below.get(e, 0) for e, power in powers.items())
        ]
        if sp.oo in below.values() or sum(above[base] for base in growing) < 2:
            return None
        return max(slower, key=lambda base: (max(growing[base].values()), str(base)), default=None)

    def _slower(self, above: Counter[sp.Expr], divisor: sp.Expr) -> sp.Expr | None:
        """What is divided first by one of several equal divisors, whose product may overflow: x/(1 + x²)²."""
        below = self.growth.of(divisor)
        growing = {base: powers for base in above if (powers := self.growth.of(base)).keys() & below.keys()}
        known = (
            base
            for base, powers in growing.items()
            if _varies_as(divisor, base) and sp.oo not in (*powers.values(), *below.values())
        )
        return min(known, key=str, default=None)

    def _count(self, base: sp.Expr, divisor: sp.Expr) -> int:
        """How many factors grow as fast as the divisor in all that it grows with; 0 where none do."""
        above, below = self.growth.of(base), self.growth.of(divisor)
        if not below or not below.keys() <= above.keys() or not _varies_as(divisor, base):
            return 0
        if any(power == sp.oo for power in (*above.values(), *below.values())):
            return 0
        return max(int(sp.ceiling(power / above[entry])) for entry, power in below.items())

    def _pays(self, quotients: list[tuple[sp.Expr, sp.Expr, int]], rest: _Product) -> bool:
        """Whether anything else above the line grows, or the same as often, or a divisor is left that was a
        power: else its order is what it was.
        """
        is_divided_again = any(divisor in rest.below for _, divisor, _ in quotients)
        grows = bool(quotients) and any(map(self.growth.of, rest.above))
        return is_divided_again or grows or sum(times for *_, times in quotients) > 1

    def _fallen(self, rest: _Product) -> list[sp.Expr]:
        """What is taken out of a product: what falls to 0, multiplied by one growing factor after another."""
        found = []
        for factor in [f for f in rest.above if self.growth.falls(f)]:
            made_of, times = self.growth.made_of(factor), rest.above[factor]
            growing = [f for f in rest.above.elements() if f != factor and self._grows(f, made_of, times)]
            if len(growing) * times > 1 and len(growing) <= _MOST_FACTORS:
                del rest.above[factor]
                rest.above -= Counter(growing)
                in_turn = (
                    f for pair in zip_longest(growing, [factor] * (times - 1)) for f in pair if f is not None
                )
                found.append(reduce(lambda met, other: multiplied(other, met), in_turn, factor))
        return found

    def _grows(self, factor: sp.Expr, made_of: frozenset[Entry], times: int) -> bool:
        """Exponentials count beside a power of what falls: of e^x·σ(-x)² the square alone would be 0."""
        powers = self.growth.of(factor)
        return bool(powers.keys() & made_of) and (times > 1 or sp.oo not in powers.values())

    def _with_last(self, number: sp.Expr, rest: sp.Expr) -> sp.Expr | None:
        """A product with its number behind all else, if that is near the largest one."""
        return multiplied(rest, number) if rest.is_Mul and abs(number) > self.most else None


def _varies_as(divisor: sp.Expr, base: sp.Expr) -> bool:
    """Whether a quotient is computed no more often than its divisor is."""
    return indices_in(base) <= indices_in(divisor)
