"""Library functions that reduce: `std(x, axis=-1)` is a call of a function with the axis in its formula."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.errors import Position, SpecError
from symgrad.spec import library
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.syntax import Boolean, Call, Name, Node
from symgrad.spec.language.trees import transform
from symgrad.spec.language.unparse import unparse
from symgrad.spec.reductions import REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.spec.library import Function

KEYWORDS = ("axis", "keepdims")


def with_axes_named(formula: Node, users: Collection[str]) -> Node:
    """The formula with `std(x, axis=-1)` as a call of the function `std(axis=-1)`.

    `users` are the user's own functions, which may bear the name of one in the library.

    Raises:
        SpecError: an index where an axis belongs, or another argument than axis and keepdims.
    """

    def change(node: Node) -> Node:
        if not isinstance(node, Call) or node.function in users:
            return node
        entry = library.functions.get(node.function)
        return _named(node) if entry is not None and entry.over_axes else node

    return transform(formula, change)


def _named(call: Call) -> Call:
    usage = f"write {call.function}(x) or {call.function}(x, axis=-1, keepdims=true)"
    unknown = next((name for name, _ in call.keywords if name not in KEYWORDS), None)
    if unknown is not None:
        raise SpecError(f"{call.function} has no argument '{unknown}'", at=call.at, remedy=usage)
    if len(call.arguments) != 1:
        problem = f"{call.function} takes one tensor, got {len(call.arguments)} arguments"
        raise SpecError(problem, at=call.at, remedy=usage)
    for name, value in call.keywords:
        if isinstance(value, Name) or (name == "keepdims") != isinstance(value, Boolean):
            raise SpecError(f"{call.function}: {name} is {unparse(value)}", at=value.at, remedy=usage)
    if not call.keywords:
        return call
    name = unparse(replace(call, arguments=()))
    return Call(name, call.arguments, (), call.at)


def function_over_axes(name: str, at: Position) -> tuple[Function, Node] | None:
    """The library function that `std(axis=-1)` is about, and its formula over that axis."""
    if "(" not in name:
        return None
    call = parse_formula(name, at)
    if not isinstance(call, Call):
        return None
    entry = library.functions[call.function]
    return entry, transform(entry.body, lambda node: _over(node, call))


def _over(node: Node, asked: Call) -> Node:
    """A reduction over the axis asked for; it keeps that axis where the formula or the call says so."""
    if not isinstance(node, Call) or not _reduces(node.function):
        return node
    return replace(node, keywords=tuple({**dict(asked.keywords), **dict(node.keywords)}.items()))


def _reduces(name: str) -> bool:
    entry = library.functions.get(name)
    return name in REDUCTIONS or (entry is not None and entry.over_axes)
