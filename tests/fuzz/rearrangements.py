"""Slices, reshape, transpose, split, einsum, outer, cumsum, one_hot, gather with NumPy's own functions.

Every array but one of labels has an axis of probes first.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAMES = ("reshape", "transpose", "split", "einsum", "outer", "cumsum", "one_hot", "gather")


def rearranged(
    name: str,
    call: ast.Call,
    array_of: Callable[[ast.expr], np.ndarray],
    labels_of: Callable[[ast.expr], np.ndarray],
    sizes: Mapping[str, int],
) -> np.ndarray:
    """The value of a call; `labels_of` gives whole numbers without probes."""
    keywords = {str(k.arg): k.value for k in call.keywords}

    def number(node: ast.expr) -> int:
        return whole(node, sizes)

    if name == "one_hot":
        labels, classes = labels_of(call.args[0]), number(call.args[1])
        return (labels[..., None] == np.arange(classes)).astype(float)[None]
    if name == "einsum":
        return _einsum(ast.literal_eval(call.args[0]), [array_of(node) for node in call.args[1:]])
    array = array_of(call.args[0])
    rank = array.ndim - 1
    if name == "outer":
        other = array_of(call.args[1])
        column = array.reshape((*array.shape, *(1 for _ in other.shape[1:])))
        return column * other.reshape((other.shape[0], *(1 for _ in array.shape[1:]), *other.shape[1:]))
    if name == "reshape":
        shape = call.args[1]
        assert isinstance(shape, ast.List)
        return array.reshape((array.shape[0], *map(number, shape.elts)))
    if name == "transpose":
        order = [number(node) % rank + 1 for node in call.args[1:]] or [*range(rank, 0, -1)]
        return array.transpose((0, *order))
    if name == "gather":
        axis = number(keywords["axis"]) % rank + 1 if "axis" in keywords else 1
        return np.take(array, labels_of(call.args[1]), axis)
    axis = number(keywords["axis"]) % rank + 1 if "axis" in keywords else rank
    if name == "cumsum":
        return np.cumsum(array, axis)
    parts = call.args[1]
    cuts: Any = (
        int(number(parts)) if not isinstance(parts, ast.List) else np.cumsum([*map(number, parts.elts)])[:-1]
    )
    return np.split(array, cuts, axis)[number(keywords["part"])]


def _einsum(text: str, arrays: list[np.ndarray]) -> np.ndarray:
    """One term after another, as it is defined."""
    left, _, result = text.replace(" ", "").partition("->")
    operands = left.split(",")
    sizes = {
        c: n for own, a in zip(operands, arrays, strict=True) for c, n in zip(own, a.shape[1:], strict=True)
    }
    summed = [c for c in sizes if c not in result]
    probes = max(a.shape[0] for a in arrays)
    total = np.zeros((probes, *(sizes[c] for c in result)), np.result_type(*arrays))
    for at in np.ndindex(*(sizes[c] for c in result)):
        known = dict(zip(result, at, strict=True))
        for inner in np.ndindex(*(sizes[c] for c in summed)):
            place = {**known, **dict(zip(summed, inner, strict=True))}
            term: Any = 1
            for own, array in zip(operands, arrays, strict=True):
                term = term * array[(slice(None), *(place[c] for c in own))]
            total[(slice(None), *at)] += term
    return total


def whole(node: ast.expr, sizes: Mapping[str, int]) -> int:
    """A whole number of sizes."""
    return int(eval(ast.unparse(node), {"__builtins__": {}}, dict(sizes)))


def is_sliced(places: ast.expr) -> bool:
    """Whether slices stand among indices."""
    return any(isinstance(part, ast.Slice) for part in ast.walk(places))


def sliced(array: np.ndarray, places: ast.expr, lead: int, sizes: Mapping[str, int]) -> np.ndarray:
    """A part of an array, as NumPy takes it, behind `lead` axes."""

    def key(part: ast.expr) -> Any:
        if not isinstance(part, ast.Slice):
            return whole(part, sizes)
        return slice(
            *(None if end is None else whole(end, sizes) for end in (part.lower, part.upper, part.step))
        )

    parts = places.elts if isinstance(places, ast.Tuple) else [places]
    return array[(*(slice(None),) * lead, *map(key, parts))]
