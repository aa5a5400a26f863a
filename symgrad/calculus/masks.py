"""What is hidden behind -inf: where a formula has a value, as far as indices alone say."""

from __future__ import annotations

import math
import operator
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from symgrad.calculus.terms import Entry, Infinite, indices_in, is_infinite
from symgrad.spec.scalars import INNER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from symgrad.calculus.axes import Axis
    from symgrad.calculus.program import Equation, Program

Truth = Any
"""One truth value or an array of them, with an axis for every index."""
_MOST = 10**7
"""Entries of a mask that are looked at."""

_RELATIONS: Mapping[type, Callable[[Any, Any], Truth]] = {
    sp.StrictLessThan: operator.lt,
    sp.LessThan: operator.le,
    sp.StrictGreaterThan: operator.gt,
    sp.GreaterThan: operator.ge,
    sp.Equality: operator.eq,
    sp.Unequality: operator.ne,
}


class Masks:
    """Where formulas are hidden; `definition` are the equations of tensors that may hold -inf."""

    def __init__(self, definition: Mapping[str, Equation]) -> None:
        self.definition = definition

    def choice(self, body: sp.Expr) -> sp.Piecewise | None:
        """A choice with an infinite branch: the body itself, or that by which the tensor it reads is defined.

        Branches that are finite are then the entry itself.
        """
        if isinstance(body, sp.Piecewise):
            return body if any(is_infinite(value) for value, _ in body.args) else None
        found = self._defined(body) if isinstance(body, Entry) else None
        if not isinstance(found, sp.Piecewise) or not any(is_infinite(value) for value, _ in found.args):
            return None
        return sp.Piecewise(*((v if is_infinite(v) else body, c) for v, c in found.args), evaluate=False)

    def _defined(self, entry: Entry) -> sp.Expr | None:
        """What an entry is by its equation, if that is one of entries."""
        equation = self.definition.get(entry.tensor)
        if equation is None or not equation.is_elementwise or equation.scatters:
            return None
        return equation.at(entry.indices)

    def hides_some(self, body: sp.Expr) -> bool:
        """Whether -inf stands in what the body is, in its own choices or in those of entries it reads."""
        if body.has(Infinite):
            return True
        found = (self._defined(entry) for entry in body.atoms(Entry))
        return any(self.hides_some(inner) for inner in found if inner is not None)

    def given(self, body: sp.Expr) -> set[Entry]:
        """The entries that it is made of whose own equations are not looked into here."""
        found: set[Entry] = set()
        for entry in body.atoms(Entry):
            inner = self._defined(entry)
            found |= {entry} if inner is None else self.given(inner)
        return found

    def hidden_row(
        self, body: sp.Expr, axis_of: Mapping[sp.Symbol, Axis], over: Sequence[sp.Symbol]
    ) -> Mapping[sp.Symbol, int] | None:
        """Values of the other indices for which all entries over some are hidden; None where none are.

        Raises:
            DataDecidesError: data decides.
        """
        if self._shows_one(body, axis_of, over):
            return None
        indices = sorted(self._read(body), key=str)
        sizes = [axis_of[i].size or 0 for i in indices]
        if not all(sizes) or np.prod(sizes, dtype=float) > _MOST:
            raise DataDecidesError
        places = dict(zip(indices, np.ogrid[tuple(slice(size) for size in sizes)], strict=True))
        shown = np.broadcast_to(self._shown(body, places), sizes)
        kept = [n for n, i in enumerate(indices) if i not in over]
        rows = shown.any(axis=tuple(n for n in range(len(indices)) if n not in kept))
        if rows.all():
            return None
        first = np.argwhere(~rows)[0]
        return {indices[n]: int(place) for n, place in zip(kept, first, strict=True)}

    def _shows_one(self, body: sp.Expr, axis_of: Mapping[sp.Symbol, Axis], over: Sequence[sp.Symbol]) -> bool:
        """Whether every row shows its first entry, or the one on the diagonal, whatever the sizes are."""
        for index in over:
            others = [i for i in indices_in(body) - {*over} if axis_of[i].fits(axis_of[index])]
            for place in (sp.Integer(0), *sorted(others, key=str)):
                at = self._spelled(body).xreplace({index: place})
                if not self.hides_some(at):
                    return True
        return False

    def _spelled(self, body: sp.Expr) -> sp.Expr:
        """The body with what hides something in the place of the entries that are defined by it."""
        found = {entry: self._defined(entry) for entry in body.atoms(Entry)}
        hiding = {
            e: self._spelled(inner) for e, inner in found.items() if inner is not None and inner.has(Infinite)
        }
        return body.xreplace(hiding)

    def _read(self, body: sp.Expr) -> set[sp.Symbol]:
        """The indices of the conditions behind which something is hidden."""
        found: set[sp.Symbol] = set()
        for choice in body.atoms(sp.Piecewise):
            if choice.has(Infinite):
                found |= indices_in(sp.And(*(condition for _, condition in choice.args)))
        for entry in body.atoms(Entry):
            inner = self._defined(entry)
            if inner is not None and self.hides_some(inner):
                found |= self._read(inner)
        return found

    def _shown(self, body: sp.Expr, places: Mapping[sp.Symbol, Any]) -> Truth:
        if is_infinite(body):
            return False
        if isinstance(body, sp.Piecewise) and self.hides_some(body):
            shown, left = np.False_, np.True_
            for value, condition in body.args:
                holds = left & _holds(condition, places)
                shown, left = shown | (holds & self._shown(value, places)), left & ~holds
            return shown
        inner = self._defined(body) if isinstance(body, Entry) else None
        if inner is not None:
            return self._shown(inner, places)
        if not self.hides_some(body):
            return np.True_
        if isinstance(body, sp.exp) or body.is_Mul or body.is_Add:
            return reduce(operator.and_, (self._shown(part, places) for part in body.args))
        raise DataDecidesError


class DataDecidesError(Exception):
    """What is hidden depends on data."""


class Hiding:
    """Which tensors of a program may hold -inf because a choice or a start says so."""

    def __init__(self, program: Program) -> None:
        self.program, self.masks = program, Masks(program.definition)
        self._known: dict[str, bool] = {}

    def all_of(self, equation: Equation) -> bool:
        """Whether all that it reduces may be -inf: data hides it, or what it reads may hold nothing else."""
        if any(self.some_of(entry.tensor) for entry in self.masks.given(equation.body)):
            return True
        if not self.masks.hides_some(equation.body):
            return False
        axis_of = {loop.index: loop.axis for loop in equation.loops}
        try:
            self.masks.hidden_row(equation.body, axis_of, [loop.index for loop in equation.bound])
        except DataDecidesError:
            return True
        return False

    def some_of(self, tensor: str) -> bool:
        """Whether an entry of a tensor may be -inf so, at this step of a recurrence or one before."""
        if (
            not self._known
        ):  # from the first equation on, as a deep network is too deep to be gone through back
            for equation in self.program.equations:
                self._look_into(equation.target)
        self._look_into(tensor)
        return self._known[tensor]

    def _look_into(self, tensor: str) -> None:
        if tensor not in self._known:
            self._known[tensor] = False  # while it is looked into
            self._known[tensor] = self._is_hidden(tensor)

    def _is_hidden(self, tensor: str) -> bool:
        carried, equation = self.program.carried.get(tensor), self.program.definition.get(tensor)
        if carried is not None:
            return any(map(self.some_of, sorted(carried.reads)))
        if equation is None:
            return self.program.tensor[tensor].hides
        needs_all = equation.reduction in ("max", "logsumexp")
        return self.all_of(equation) if needs_all else self._passes(equation.body)

    def _passes(self, expr: sp.Expr) -> bool:
        """Whether -inf in an expression, or in what it reads, may be its value."""
        if isinstance(expr, Entry):
            return self.some_of(expr.tensor)
        row = INNER.get(type(expr).__name__)
        if is_infinite(expr) or (row is not None and row.values.least > -math.inf):
            return is_infinite(expr)
        values = [value for value, _ in expr.args] if isinstance(expr, sp.Piecewise) else expr.args
        return any(map(self._passes, values))


def _holds(condition: sp.Basic, places: Mapping[sp.Symbol, Any]) -> Truth:
    if condition in (sp.true, sp.false):
        return np.bool_(condition == sp.true)
    if isinstance(condition, sp.And):
        return reduce(operator.and_, (_holds(part, places) for part in condition.args))
    if isinstance(condition, sp.Or):
        return reduce(operator.or_, (_holds(part, places) for part in condition.args))
    if isinstance(condition, sp.Not):
        return ~_holds(condition.args[0], places)
    if type(condition) not in _RELATIONS or condition.atoms(Entry):
        raise DataDecidesError
    left, right = (_whole(side, places) for side in condition.args)
    return np.asarray(_RELATIONS[type(condition)](left, right))


def _whole(form: sp.Expr, places: Mapping[sp.Symbol, Any]) -> Any:
    """The values of a form of indices."""
    if form in places:
        return places[form]
    if form.is_Integer:
        return int(form)
    if form.is_Rational:
        return float(form)
    if form.is_Add or form.is_Mul:
        combine = operator.add if form.is_Add else operator.mul
        return reduce(combine, (_whole(part, places) for part in form.args))
    raise DataDecidesError
