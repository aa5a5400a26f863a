"""What `d(u, x)` means: the model is evaluated again with x in dual numbers, and the slopes of u are read.

A derivative of order n takes n such evaluations, one inside the other. In matrix notation every row of x
varies by its own weight: row n of the slopes is that of u by row n of x times the weight if, and only if,
rows do not depend on one another. In index notation every entry of x that is asked for varies by itself.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from symgrad.errors import ShapeError, SpecError
from symgrad.spec.language.syntax import Call, Index, Name, Node
from symgrad.verifier.interpretation.slopes.dual_numbers import Duals
from symgrad.verifier.interpretation.tensors import TensorValue

if TYPE_CHECKING:
    from symgrad.verifier.interpretation.arithmetic import Arithmetic
    from symgrad.verifier.interpretation.array_library import Array
    from symgrad.verifier.interpretation.formula_scope import ValueScope

_WEIGHTS = 8


class Varying(Protocol):
    """What evaluates formulas, also as a tensor varies."""

    tensors: dict[str, TensorValue]
    arithmetic: Arithmetic
    work: int

    def value(self, node: Node, scope: ValueScope) -> TensorValue:
        """The value of a formula."""

    def place(self, node: Node, scope: ValueScope) -> Array:
        """The places an index stands for."""

    def varied(self, name: str, duals: Duals, directions: Array) -> Varying:
        """The same formulas as a tensor varies."""


def derivative(formulas: Varying, call: Call, scope: ValueScope) -> TensorValue:
    """The value of a call `d(u, x, ...)`.

    Raises:
        SpecError: it is by nothing that varies.
        ShapeError: it is no tensor of the axes of either.
    """
    *before, by = call.arguments
    of = before[0] if len(before) == 1 else replace(call, arguments=tuple(before))
    if isinstance(by, Index):
        return _by_entries(formulas, of, by, scope)
    if not isinstance(by, Name) or by.id not in formulas.tensors:
        raise SpecError("a derivative is by a tensor", at=by.at)
    return _by_tensor(formulas, of, by, scope)


def along(formulas: Varying, call: Call, scope: ValueScope) -> TensorValue:
    """What a formula changes by where all entries of a tensor change, `slope along(u, z[n,i], v[n,i])`.

    Where v is computed at one step of a recurrence, it has that step alone.
    """
    of, by, change = call.arguments
    if not isinstance(by, Index | Name):
        raise SpecError("a direction is one of a tensor", at=by.at)
    name = by.tensor if isinstance(by, Index) else by.id
    shape = tuple(formulas.tensors[name].array.shape)
    given = formulas.tensors[change.tensor].array if isinstance(change, Index) else np.ones(shape)
    directions = formulas.arithmetic.array(given).reshape((1, *shape))
    slopes, value = _slopes(formulas, of, name, directions, scope)
    return TensorValue(formulas.arithmetic.array(slopes[0]), value.rank)


def _slopes(
    formulas: Varying, of: Node, name: str, directions: Array, scope: ValueScope
) -> tuple[Any, TensorValue]:
    """The slopes of a formula as a tensor varies along directions, these along the first axis; its value."""
    duals = Duals(formulas.arithmetic)
    inner = formulas.varied(name, duals, directions)
    bound = {n: replace(value, array=duals.of(value.array)) for n, value in scope.bound.items()}
    value = inner.value(of, replace(scope, bound=bound))
    formulas.work += inner.work
    dual = duals.of(value.array)
    return duals.slopes(dual, directions.shape[0]), replace(value, array=dual.array)


def _by_tensor(formulas: Varying, of: Node, by: Name, scope: ValueScope) -> TensorValue:
    shape = tuple(formulas.tensors[by.id].array.shape)
    value = formulas.value(of, scope)
    own = tuple(value.array.shape[value.depth :])
    share_rows = bool(own and shape) and own[0] == shape[0] != 1
    rows = int(share_rows)
    weights = 2.0 ** (np.arange(shape[0]) % _WEIGHTS) if share_rows else np.ones(())
    columns = math.prod(shape[rows:])
    directions = np.eye(columns)[:, None, :] * weights.reshape(-1, 1)
    slopes, found = _slopes(formulas, of, by.id, directions.reshape((columns, *shape)), scope)
    lead = value.array.shape[: value.depth]
    if columns == 1:
        at_rows = weights.reshape((-1, *(1,) * (len(own) - 1)) if share_rows else ())
        first = formulas.arithmetic.array(slopes[0])
        return TensorValue(_over(formulas, first, at_rows), found.rank)
    if math.prod(own[rows:]) != 1:
        raise ShapeError("a derivative is of one number in a row, or by one", at=by.at)
    permute = formulas.arithmetic.library.permute
    turned = permute(slopes, (*range(1, slopes.ndim), 0)).reshape((*lead, *shape))
    at_rows = weights.reshape((-1, *(1,) * (len(shape) - 1)) if share_rows else ())
    return TensorValue(_over(formulas, turned, at_rows), len(shape))


def _over(formulas: Varying, slopes: Any, weights: Array) -> Array:
    arithmetic = formulas.arithmetic
    return arithmetic.array(arithmetic.divide(slopes, arithmetic.array(weights)))


def _by_entries(formulas: Varying, of: Node, by: Index, scope: ValueScope) -> TensorValue:
    shape = tuple(formulas.tensors[by.tensor].array.shape)
    places = np.broadcast_arrays(*(formulas.place(index, scope) for index in by.indices))
    flat = np.ravel_multi_index(tuple(places), shape)
    varied, which = np.unique(flat, return_inverse=True)
    directions = np.zeros((varied.size, math.prod(shape)))
    directions[np.arange(varied.size), varied] = 1.0
    slopes, value = _slopes(formulas, of, by.tensor, directions.reshape((-1, *shape)), scope)
    if value.rank:
        raise ShapeError("the derivative by an entry is that of an entry", at=by.at)
    which, at = which.reshape(flat.shape), value.padded(scope.depth, 0).shape  # a number stands nowhere
    slopes, whole = slopes.reshape((varied.size, *at)), np.broadcast_shapes(which.shape, at)
    spread = formulas.arithmetic.library.broadcast_to(slopes, (varied.size, *whole))
    grid = np.ogrid[tuple(slice(size) for size in whole)]
    chosen = formulas.arithmetic.array(spread[(np.array(np.broadcast_to(which, whole)), *grid)])
    return TensorValue(chosen.reshape(chosen.shape or (1,) * scope.depth), 0)
