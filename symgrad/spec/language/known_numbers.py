"""Names that stand for numbers: `pi`, `e` and `inf`, where they are not the user's, and sizes in indices."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.spec.language.declared_ranges import bound_names
from symgrad.spec.language.syntax import Call, Index, Infinity, Name, Negate, Node, Number
from symgrad.spec.language.trees import calls, transform, walk

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from symgrad.errors import Position


def with_known_numbers(formula: Node, taken: Collection[str]) -> Node:
    """The formula with pi as acos(-1) and e as exp(1), which are exact, and inf where it may stand.

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
    free = {"pi", "e", "inf"} - {*taken, *indices}

    def change(node: Node) -> Node:
        if isinstance(node, Name) and node.id in free - {"inf"}:
            return _number(node.id, node.at)
        return _with_infinity(node) if isinstance(node, Call) and "inf" in free else node

    return transform(formula, change) if free else formula


def with_known_start(formula: Node, taken: Collection[str]) -> Node:
    """The formula that a recurrence starts with, as `with_known_numbers`; all of it may be infinite."""
    known = with_known_numbers(formula, taken)
    return known if "inf" in taken else _infinite(known)


def with_sizes_in_indices(formula: Node, sizes: Mapping[str, int], indices: Collection[str]) -> Node:
    """The formula with sizes by name as numbers inside indices, `x[n, D*h + d]`.

    What is in `indices`, or what a reduction of the formula runs over, is an index.
    """
    running = {*indices, *(name for call in calls(formula) for name in bound_names(call))}
    known = {name: size for name, size in sizes.items() if name not in running}

    def number(node: Node) -> Node:
        if isinstance(node, Name) and node.id in known:
            return Number(Fraction(known[node.id]), node.at)
        return node

    def change(node: Node) -> Node:
        if not isinstance(node, Index):
            return node
        return replace(node, indices=tuple(transform(place, number) for place in node.indices))

    return transform(formula, change) if known else formula


def _infinite(node: Node) -> Node:
    match node:
        case Negate(Name("inf", at)):
            return replace(node, operand=Infinity(at))
        case Name("inf", at):
            return Infinity(at)
    return node


def _with_infinity(call: Call) -> Call:
    """A choice between values, or a filling: one of them may be infinite."""
    if call.function == "where":
        condition, *branches = call.arguments
        return replace(call, arguments=(condition, *map(_infinite, branches)))
    if call.function != "pad":
        return call
    keywords = ((name, _infinite(node) if name == "value" else node) for name, node in call.keywords)
    return replace(call, keywords=tuple(keywords))


def _number(name: str, at: Position) -> Node:
    one = Number(Fraction(1), at)
    return Call("acos", (Negate(one, at),), (), at) if name == "pi" else Call("exp", (one,), (), at)
