"""A reverse tape of arrays: the interpreter's every operation is noted, and gradients flow back through it.

The numbers are those of any arithmetic of the verifier whose arrays are NumPy's. A gradient of exactly 0
stays 0 whatever slope it meets, as the slope of a branch that was not taken may not be finite.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.verifier.arrays import ArrayLibrary
from symgrad.verifier.identity.slopes import slope, slope_of_power
from symgrad.verifier.tensors import kept_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from symgrad.verifier.arithmetic import Arithmetic, Array


class Traced:
    """An array, and by which operations it came from others. `sources` are those with a gradient."""

    __array_ufunc__ = None

    def __init__(
        self,
        value: Array,
        sources: Iterable[tuple[Traced, Callable[[Array], Array]]] = (),
        *,
        leaf: bool = False,
    ) -> None:
        self.value = value if isinstance(value, np.ndarray) else np.asarray(value, dtype=object)
        self.sources: list[tuple[Traced, Callable[[Array], Array]]] = [
            (source, pull) for source, pull in sources if source.varies
        ]
        self.varies: bool = leaf or bool(self.sources)

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    dtype = property(lambda self: self.value.dtype)

    def __add__(self, other: Traced) -> Traced:
        return _join(self.value + other.value, (self, _same), (other, _same))

    def __sub__(self, other: Traced) -> Traced:
        return _join(self.value - other.value, (self, _same), (other, operator.neg))

    def __mul__(self, other: Traced) -> Traced:
        a, b = self.value, other.value
        return _join(a * b, (self, lambda g: g * b), (other, lambda g: g * a))

    def __neg__(self) -> Traced:
        return Traced(np.asarray(-self.value), [(self, operator.neg)])

    def reshape(self, *shape: Any) -> Traced:
        before = self.value.shape
        return Traced(self.value.reshape(*shape), [(self, lambda g: g.reshape(before))])

    def __getitem__(self, places: Any) -> Traced:
        def pull(g: Array) -> Array:
            total = _zeros(self.value.shape)
            np.add.at(total, places, g)
            return total

        return Traced(np.asarray(self.value[places], dtype=object), [(self, pull)])

    def __lt__(self, other: Traced) -> Array:
        return np.asarray(self.value < other.value, dtype=bool)

    def __le__(self, other: Traced) -> Array:
        return np.asarray(self.value <= other.value, dtype=bool)

    def __gt__(self, other: Traced) -> Array:
        return np.asarray(self.value > other.value, dtype=bool)

    def __ge__(self, other: Traced) -> Array:
        return np.asarray(self.value >= other.value, dtype=bool)

    def __eq__(self, other: object) -> Array:  # type: ignore[override]  # entry by entry, as for arrays
        return np.asarray(self.value == (other.value if isinstance(other, Traced) else other), dtype=bool)

    def __ne__(self, other: object) -> Array:  # type: ignore[override]  # entry by entry, as for arrays
        return ~self.__eq__(other)

    __hash__ = object.__hash__


def _same(gradient: Array) -> Array:
    return gradient


def _zeros(shape: tuple[int, ...]) -> Array:
    return np.full(shape, 0, dtype=object)


def _join(value: Any, *sources: tuple[Traced, Callable[[Array], Array]]) -> Traced:
    """The result of an operation that broadcasts: gradients are summed back to the shapes of its operands."""
    pulls = [
        (s, lambda g, s=s, pull=pull: _unbroadcast(np.asarray(pull(g), dtype=object), s.value.shape))
        for s, pull in sources
    ]
    return Traced(np.asarray(value, dtype=object), pulls)


def _unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    extra = gradient.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        extra + k for k, size in enumerate(shape) if size == 1 and gradient.shape[extra + k] != 1
    )
    summed = (
        np.asarray(np.sum(gradient, axis=axes), dtype=object) if axes else np.asarray(gradient, dtype=object)
    )
    return summed.reshape(shape)


_scaled = np.frompyfunc(lambda g, slope: g if g == 0 else g * slope, 2, 1)


@dataclass(frozen=True)
class Tape:
    """Notes the operations of an arithmetic; `arithmetic` is the one to interpret a model in."""

    plain: Arithmetic

    @property
    def arithmetic(self) -> Arithmetic:
        plain = self.plain
        library: dict[str, Any] = {
            "kind": Traced,
            "integers": plain.library.integers,
            "where": self._where,
            "matmul": self._matmul,
            "broadcast_to": _broadcast_to,
            "permute": _permute,
            "sum": _sum,
            "max": partial(_extreme, beats=operator.gt),
            "min": partial(_extreme, beats=operator.lt),
            "is_concrete": False,
        }
        changes: dict[str, Any] = {
            "convert": self.constant,
            "number": lambda q: self.constant(plain.number(q)),
            "divide": self._divide,
            "power": self._power,
            "functions": {name: self._function(name) for name in plain.functions},
        }
        return replace(plain, library=ArrayLibrary(**library), **changes)

    def constant(self, values: Any) -> Traced:
        """Numbers without a gradient."""
        return Traced(self.plain.array(np.asarray(values)))

    def variable(self, values: Array) -> Traced:
        """Numbers with one."""
        return Traced(values, leaf=True)

    def _divide(self, a: Traced, b: Traced) -> Traced:
        quotient = self.plain.divide(a.value, b.value)

        def pull_a(g: Array) -> Array:
            return self._zero_stays(g, lambda: self.plain.divide(self._one, b.value))

        def pull_b(g: Array) -> Array:
            return self._zero_stays(g, lambda: self.plain.divide(-quotient, b.value))

        return _join(quotient, (a, pull_a), (b, pull_b))

    @property
    def _one(self) -> Array:
        return self.plain.array(np.asarray(1.0))

    def _zero_stays(self, gradient: Array, factor: Callable[[], Array]) -> Array:
        return np.asarray(_scaled(gradient, factor()), dtype=object)

    def _power(self, a: Traced, b: Traced) -> Traced:
        value = self.plain.power(a.value, b.value)

        def pull_base(g: Array) -> Array:
            return self._zero_stays(g, lambda: slope_of_power(a.value, b.value, self.plain))

        def pull_exponent(g: Array) -> Array:
            return self._zero_stays(g, lambda: value * self.plain.functions["log"](a.value))

        return _join(value, (a, pull_base), (b, pull_exponent))

    def _function(self, name: str) -> Callable[[Traced], Traced]:
        def apply(x: Traced) -> Traced:
            value = self.plain.functions[name](x.value)
            return _join(value, (x, lambda g: self._zero_stays(g, lambda: slope(name, x.value, self.plain))))

        return apply

    def _where(self, holds: Any, a: Traced, b: Traced) -> Traced:
        holds = np.asarray(holds, dtype=bool)
        value = np.where(holds, a.value, b.value)
        return _join(value, (a, lambda g: np.where(holds, g, 0)), (b, lambda g: np.where(holds, 0, g)))

    def _matmul(self, a: Traced, b: Traced) -> Traced:
        product = self.plain.library.matmul
        return _join(
            product(a.value, b.value),
            (a, lambda g: product(self._full(g), _swapped(b.value))),
            (b, lambda g: product(_swapped(a.value), self._full(g))),
        )

    def _full(self, gradient: Array) -> Array:
        """The gradient with every 0 that stands for none as a number of the arithmetic."""
        return gradient + self.plain.array(np.asarray(0.0))


def _swapped(array: Array) -> Array:
    return np.swapaxes(array, -1, -2)


def _broadcast_to(x: Traced, shape: tuple[int, ...]) -> Traced:
    return _join(np.broadcast_to(x.value, shape), (x, _same))


def _permute(x: Traced, axes: tuple[int, ...]) -> Traced:
    return Traced(np.transpose(x.value, axes), [(x, lambda g: np.transpose(g, np.argsort(axes)))])


def _sum(x: Traced, axes: tuple[int, ...]) -> Traced:
    kept, shape = kept_shape(x.value, axes), x.value.shape
    total = np.asarray(np.sum(x.value, axis=axes), dtype=object) if axes else x.value
    return Traced(total, [(x, lambda g: np.broadcast_to(np.reshape(g, kept), shape))])


def _extreme(x: Traced, axes: tuple[int, ...], beats: Callable[[Any, Any], bool]) -> Traced:
    """The first entry along some axes that none after it beats; the gradient is its own."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    order = np.argsort((*kept, *axes))
    moved = np.transpose(x.value, (*kept, *axes))
    rows = moved.reshape((-1, int(np.prod([x.shape[axis] for axis in axes], dtype=int))))
    winners = np.array([_winner(row, beats) for row in rows], dtype=np.int64)
    places = np.arange(len(rows)), winners
    value = np.empty(len(rows), dtype=object)
    value[:] = [row[k] for row, k in zip(rows, winners, strict=True)]

    def pull(g: Array) -> Array:
        total = _zeros(rows.shape)
        total[places] = g.reshape(-1)
        return np.transpose(total.reshape(moved.shape), order)

    return Traced(value.reshape([x.shape[axis] for axis in kept]), [(x, pull)])


def _winner(row: Array, beats: Callable[[Any, Any], bool]) -> int:
    best = 0
    for place in range(1, len(row)):
        if beats(row[place], row[best]):
            best = place
    return best


def gradients(result: Traced, variables: Iterable[Traced], one: Any) -> list[Array]:
    """The gradient of a single number with respect to each of some variables."""
    found: dict[int, Array] = {id(result): np.full(result.shape, one, dtype=object)}
    for node in _later_first(result):
        gradient = found.get(id(node))
        if gradient is None:
            continue
        if node.sources:
            del found[id(node)]
        for source, pull in node.sources:
            share = np.asarray(pull(gradient), dtype=object)
            known = found.get(id(source))
            found[id(source)] = share if known is None else np.asarray(known + share, dtype=object)
    return [np.asarray(found.get(id(v), _zeros(v.shape)), dtype=object) for v in variables]


def _later_first(result: Traced) -> Iterator[Traced]:
    order: list[Traced] = []
    seen: set[int] = set()
    stack = [(result, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((source, False) for source, _ in node.sources)
    return reversed(order)
