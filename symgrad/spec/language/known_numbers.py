"""The names `pi` and `e`: numbers wherever the user has not given them another meaning."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.spec.language.syntax import Call, Index, Name, Negate, Node, Number
from symgrad.spec.language.trees import transform, walk

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.errors import Position


def with_known_numbers(formula: Node, taken: Collection[str]) -> Node:
    """The formula with pi as acos(-1) and e as exp(1), which are exact.

    Names in `taken` are the user's own, and so is what stands as an index in the formula.
    """
    indices = {
        name.id
        for node in walk(formula)
        if isinstance(node, Index)
        for place in node.indices
        for name in walk(place)
        if isinstance(name, Name)
    }
    free = {"pi", "e"} - {*taken, *indices}

    def change(node: Node) -> Node:
        return _number(node.id, node.at) if isinstance(node, Name) and node.id in free else node

    return transform(formula, change) if free else formula


def _number(name: str, at: Position) -> Node:
    one = Number(Fraction(1), at)
    return Call("acos", (Negate(one, at),), (), at) if name == "pi" else Call("exp", (one,), (), at)
