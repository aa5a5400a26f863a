"""Index notation: how far each index runs, and which entry a place means."""

from __future__ import annotations

import ast
import copy
import operator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

WHOLE: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def place_of(node: ast.expr, indices: Mapping[str, int], labels: Mapping[str, np.ndarray]) -> int:
    """The whole number that an index form such as `2*i + u`, `k - 1` or `c[n]` stands for."""
    match node:
        case ast.Subscript(ast.Name(name), places):
            found = places.elts if isinstance(places, ast.Tuple) else [places]
            return int(labels[name][tuple(place_of(p, indices, labels) for p in found)])
        case ast.Constant(number):
            return int(number)
        case ast.Name(name):
            return indices[name]
        case ast.UnaryOp(ast.USub(), operand):
            return -place_of(operand, indices, labels)
        case ast.BinOp(left, operation, right):
            a, b = place_of(left, indices, labels), place_of(right, indices, labels)
            return WHOLE[type(operation)](a, b)
    raise NotImplementedError(ast.dump(node))


def given_ranges(
    body: ast.expr, reductions: Collection[str], sizes: Mapping[str, int], key: str = ""
) -> dict[str, int]:
    """The ranges that stand in the text: `y[n, j:J]` on the left, `sum(..., k=2)` on the right."""
    found = [(n.strip(), size) for n, _, size in (p.partition(":") for p in _places(key)) if size]
    found += [
        (str(keyword.arg), ast.unparse(keyword.value))
        for node in ast.walk(body)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in reductions
        for keyword in node.keywords
        if keyword.arg not in ("axis", "keepdims")
    ]
    return {name: eval(size, {"__builtins__": {}}, dict(sizes)) for name, size in found}


def left_names(key: str) -> list[str]:
    """The indices on the left side of an equation, in order."""
    return [place.partition(":")[0].strip() for place in _places(key)]


def _places(key: str) -> list[str]:
    return key.partition("[")[2].rstrip("] ").split(",")


MOST_DIVISOR = 64


class _Numbered(ast.NodeTransformer):
    """Sizes by name as numbers."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = sizes

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(self.sizes[node.id]) if node.id in self.sizes else node


def index_ranges(
    body: ast.expr,
    shapes: Mapping[str, tuple[int, ...]],
    given: Mapping[str, int],
    sizes: Mapping[str, int],
) -> dict[str, int]:
    """The number of places of each index in `body`, where sizes by name are numbers.

    One that is given is what it is; one that stands alone runs over its axis, another as far as the axes
    allow for all values of the rest.
    """
    uses = [
        (_Numbered(sizes).visit(copy.deepcopy(place)), size)
        for node in ast.walk(body)
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in shapes
        for place, size in zip(
            node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice],
            shapes[node.value.id],
            strict=True,
        )
    ]
    ranges = {place.id: size for place, size in uses if isinstance(place, ast.Name)} | {**given}
    while True:
        found: dict[str, int] = {}
        for place, size in uses:
            names = {n.id for n in ast.walk(place) if isinstance(n, ast.Name)}
            unknown = [n for n in names if n not in ranges]
            if isinstance(place, ast.BinOp) and len(unknown) == 1 and not isinstance(place.op, ast.Mod):
                most = _fitting(place, unknown[0], names, size, ranges)
                found[unknown[0]] = min(most, found.get(unknown[0], most))
        if not found:
            return ranges
        ranges |= found


def _fitting(place: ast.expr, name: str, names: set[str], size: int, ranges: Mapping[str, int]) -> int:
    """How many values of `name` keep the place inside the axis, whatever the others are."""
    rest = sorted(names - {name})
    others = [dict(zip(rest, at, strict=True)) for at in np.ndindex(*(ranges[n] for n in rest))]
    is_quotient = isinstance(place, ast.BinOp) and isinstance(place.op, ast.FloorDiv)
    count, most = 0, size * MOST_DIVISOR if is_quotient else size
    while count < most and all(place_of(place, {**other, name: count}, {}) < size for other in others):
        count += 1
    return count
