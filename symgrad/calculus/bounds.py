"""What can be proved about the sign of an expression, from its form and from the equations it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from symgrad.calculus.real import Piecewise
from symgrad.calculus.terms import Entry, delta
from symgrad.spec.scalars import INNER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from symgrad.calculus.program import Equation


class Bounds:
    """Whether expressions are positive, or not negative, wherever they are numbers.

    `definition` has the equations of tensors by name, `constants` the numbers of those that are written.
    Sums of exponentials count as positive, although all of them may underflow. What is not proved may still
    be true.
    """

    def __init__(
        self,
        definition: Mapping[str, Equation],
        above_0: frozenset[sp.Expr] = frozenset(),
        not_0: frozenset[sp.Expr] = frozenset(),
        constants: Mapping[str, Collection[float]] | None = None,
        true: frozenset[sp.Basic] = frozenset(),
    ) -> None:
        self.definition, self.above_0, self.not_0, self.true = definition, above_0, not_0, true
        self.constants = constants or {}
        self._known: dict[tuple[str, bool], bool] = {}

    def where(self, condition: sp.Basic) -> Bounds:
        """The bounds where a condition holds: `v > 0` and `v ≠ 0` say what they say, and so do several; any
        tells which branch of the same choice is taken.
        """
        all_true = sp.And.make_args(condition)
        tests = [t for t in all_true if isinstance(t, sp.Rel) and t.args[1] == 0]
        above_0 = self.above_0.union(t.args[0] for t in tests if isinstance(t, sp.StrictGreaterThan))
        not_0 = self.not_0.union(t.args[0] for t in tests if isinstance(t, sp.Unequality))
        found = type(self)(self.definition, above_0, not_0, self.constants, self.true.union(all_true))
        if (above_0, not_0) == (self.above_0, self.not_0):
            found._known = self._known
        return found

    def branches(self, choice: sp.Expr) -> Iterator[tuple[sp.Expr, sp.Basic, Bounds]]:
        """The values of a choice with their conditions, and the bounds where each is taken."""
        bounds = self
        for value, condition in choice.args:
            yield value, condition, bounds.where(condition)
            bounds = bounds.where(sp.Not(condition))

    def formula_of(self, expr: sp.Expr) -> sp.Expr:
        """What an entry of a tensor is by its equation, where that is a formula of its own indices.

        Of a choice it is the branch that is known to be taken.
        """
        definition = self.definition.get(expr.tensor) if isinstance(expr, Entry) else None
        is_formula = definition is not None and definition.is_elementwise and not definition.scatters
        return self._taken(definition.at(expr.indices)) if definition is not None and is_formula else expr

    def taken(self, expr: sp.Expr) -> sp.Expr:
        """The expression with the branch in place of each choice of which it is known to be taken.

        It stays as it is where something would be divided by 0 with it.
        """
        if not self.true:
            return expr
        taken = expr.xreplace({choice: self._taken(choice) for choice in expr.atoms(sp.Piecewise)})
        return expr if taken.has(sp.zoo, sp.nan) else taken

    def _taken(self, formula: sp.Expr) -> sp.Expr:
        for value, condition in formula.args if isinstance(formula, sp.Piecewise) else ():
            if condition == sp.true or condition in self.true:
                return value
            if sp.Not(condition) not in self.true:
                break
        return formula

    def nonzero(self, expr: sp.Expr) -> bool:
        """Whether it is above or below 0 everywhere."""
        if expr.is_nonzero or expr in self.not_0 or self.positive(expr):
            return True
        if isinstance(expr, Entry):
            return expr.tensor in self.constants and all(self.constants[expr.tensor])
        if expr.is_Pow:
            return self.nonzero(expr.base)
        return bool(expr.is_Mul) and all(map(self.nonzero, expr.args))

    def positive(self, expr: sp.Expr) -> bool:
        """Whether it is above 0 everywhere."""
        return self._above(expr, strictly=True)

    def nonnegative(self, expr: sp.Expr) -> bool:
        """Whether it is 0 or above everywhere."""
        return self._above(expr, strictly=False)

    def _above(self, expr: sp.Expr, *, strictly: bool) -> bool:
        if expr.is_positive or expr in self.above_0 or (expr.is_nonnegative and not strictly):
            return True
        if expr.is_number or not expr.args:
            return False
        if isinstance(expr, Entry):
            return self._of_entry(expr, strictly=strictly)
        row = INNER.get(type(expr).__name__)
        if row is not None:
            values = row.values
            is_above = values.is_positive if strictly else values.least >= 0
            return is_above or (row.keeps_sign and self._above(expr.args[0], strictly=strictly))
        if isinstance(expr, Piecewise):
            return all(self._above(value, strictly=strictly) for value, _ in expr.args)
        if expr.is_Add:
            is_above = all(map(self.nonnegative, expr.args))
            return is_above and (not strictly or any(map(self.positive, expr.args)))
        if expr.is_Mul:
            return all(self._above(factor, strictly=strictly) for factor in expr.args)
        if expr.is_Pow:
            return self._of_power(expr, strictly=strictly)
        return isinstance(expr, delta) and not strictly

    def _of_power(self, power: sp.Expr, *, strictly: bool) -> bool:
        base, exponent = power.base, power.exp
        if self.positive(base):
            return True
        if strictly:
            return False
        is_root = exponent.is_Rational and not exponent.is_integer
        return bool(exponent.is_even or is_root) or self.nonnegative(base)

    def _of_entry(self, entry: Entry, *, strictly: bool) -> bool:
        key = entry.tensor, strictly
        if entry.tensor in self.constants:
            return all(number > 0 if strictly else number >= 0 for number in self.constants[entry.tensor])
        if key not in self._known:
            self._known[key] = False  # while it is looked into
            equation = self.definition.get(entry.tensor)
            is_scattered = equation is not None and equation.scatters
            if equation is not None and equation.reduction != "logsumexp" and not (is_scattered and strictly):
                self._known[key] = _counts_ties(equation) or self._above(equation.body, strictly=strictly)
        return self._known[key]


def _counts_ties(equation: Equation) -> bool:
    """Whether it counts those that attain an extremum: there is always one."""
    body = equation.body
    if equation.reduction != "sum" or not isinstance(body, Piecewise) or len(body.args) != 2:
        return False
    (first, condition), (second, _) = body.args
    return first == 1 and second == 0 and isinstance(condition, sp.Equality)
