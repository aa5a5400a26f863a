"""`d(u, x)` and `stop_gradient` as defined: one entry moves, and all that is computed of it with it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fuzz.indices import place_of
from fuzz.jets import Jet, Jets, jet, slopes, values

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuzz.oracle import Scope

NAMES = ("d", "stop_gradient")


class CoupledError(Exception):
    """A row that moves moves others."""


@dataclass(frozen=True)
class Taken:
    """A call of one of them; `value` and `equation` are the oracle's own."""

    scope: Scope
    value: Callable[[ast.expr, Scope], Any]
    equation: Callable[[str, str, Scope], np.ndarray]

    def call(self, call: ast.Call, name: str) -> np.ndarray:
        """Its value."""
        if name == "stop_gradient":
            held = values(self.value(call.args[0], self.scope))
            return self.scope.arithmetic.number(held)
        *before, last = call.args
        of = before[0] if len(before) == 1 else ast.Call(call.func, before, [])
        return self._by_entry(of, last) if isinstance(last, ast.Subscript) else self._by_rows(of, last)

    def _by_entry(self, of: ast.expr, by: ast.Subscript) -> np.ndarray:
        assert isinstance(by.value, ast.Name)
        places = by.slice.elts if isinstance(by.slice, ast.Tuple) else [by.slice]
        labels = {n: t.array for n, t in self.scope.tensors.items() if not isinstance(t, np.ndarray)}
        known = {**self.scope.sizes, **self.scope.indices}
        return self._slope(of, by.value.id, tuple(place_of(p, known, labels) for p in places))

    def _by_rows(self, of: ast.expr, by: ast.expr) -> np.ndarray:
        assert isinstance(by, ast.Name)
        varied = self.scope.tensors[by.id]
        assert isinstance(varied, np.ndarray)
        own, shape = self.value(of, self.scope).shape[1:], varied.shape[1:]
        rows = int(bool(own and shape) and own[0] == shape[0] != 1)
        takes_own = np.prod(shape[rows:]) == 1
        found = np.empty(own if takes_own else shape, object)
        for at in np.ndindex(*shape):
            slope = np.broadcast_to(self._slope(of, by.id, at)[0], own)
            if rows and any(moves(slope[n]) for n in range(own[0]) if n != at[0]):
                raise CoupledError(by.id)
            here = np.asarray(slope[at[0]] if rows else slope, object)
            found[(at[:1] if rows else ...) if takes_own else at] = here if takes_own else here.ravel()[0]
        return found[None]

    def _slope(self, of: ast.expr, by: str, at: tuple[int, ...]) -> np.ndarray:
        """The slope of a formula by one entry: what is computed of it is computed again, shifted too."""
        scope = self.scope
        assert isinstance(scope.arithmetic, Jets)
        bit = scope.arithmetic.direction()
        shift = np.full(scope.tensors[by].shape, jet(0), object)
        shift[(0, *at)] = Jet({bit: 1.0})
        shifts = {**scope.shifts, by: scope.shifts[by] + shift if by in scope.shifts else shift}
        inner = replace(scope, tensors={**scope.tensors, by: scope.tensors[by] + shift}, shifts=shifts)
        bare = replace(inner, indices={}, ranges={}, bound=None, numbers={})
        targets = [key.partition("[")[0] for key, *_ in scope.before]
        start, changed = targets.index(by) + 1 if by in targets else 0, {by}
        for number, (key, formula, owner) in enumerate(scope.before[start:], start):
            if changed & {*re.findall(r"[A-Za-z_]\w*", formula)}:
                name = targets[number]
                changed.add(name)
                again = self.equation(key, formula, replace(bare, owner=owner, before=scope.before[:number]))
                inner.tensors[name] = again + shifts[name] if name in shifts else again
        found = slopes(self.value(of, inner), bit)
        scope.arithmetic.close()
        return found


def moves(slope: Any) -> bool:
    """Whether any slope is not 0."""
    return any(c != 0 for z in np.ravel(np.asarray(slope, object)) for c in jet(z).parts.values())
