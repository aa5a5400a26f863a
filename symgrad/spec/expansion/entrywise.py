"""Formulas that work entry by entry over a few given names: optimiser updates and schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecError, did_you_mean
from symgrad.spec import library
from symgrad.spec.expansion.calls import bind
from symgrad.spec.language.builtins import SCALAR_FUNCTIONS, STEPWISE_FUNCTIONS
from symgrad.spec.language.known_numbers import with_known_numbers
from symgrad.spec.language.syntax import Binary, Boolean, Call, Index, Name, Node, Transpose
from symgrad.spec.language.trees import placed, substitute, transform, walk
from symgrad.spec.other_names import meant
from symgrad.spec.reductions import EXTREMA

if TYPE_CHECKING:
    from collections.abc import Collection

_ARITY = {**dict.fromkeys(SCALAR_FUNCTIONS | STEPWISE_FUNCTIONS, 1), **dict.fromkeys(EXTREMA, 2), "where": 3}


def written_out(formula: Node, known: Collection[str]) -> Node:
    """The formula without the library's mathematics, and without pi and e unless they are `known`."""

    def change(node: Node) -> Node:
        entry = library.mathematics.get(node.function) if isinstance(node, Call) else None
        if not isinstance(node, Call) or entry is None or entry.over_axes:
            return node
        return substitute(placed(entry.body, node.at), bind(node, entry.signature))

    return transform(with_known_numbers(formula, known), change)


def check_entrywise(
    formula: Node, known: Collection[str], within: str, other_calls: Collection[str] = ()
) -> None:
    """Accept arithmetic, `where`, `max(a, b)`, `min(a, b)` and scalar functions of the known names.

    `other_calls` are names that could have been meant where a function is unknown.

    Raises:
        SpecError: for an unknown name or function, and for everything that mixes entries.
    """
    for node in walk(formula):
        match node:
            case Name(name, at) if name not in known:
                remedy = did_you_mean(name, known) or f"it may use {', '.join(known)}"
                raise SpecError(f"unknown name '{name}' in {within}", at=at, remedy=remedy)
            case Call():
                _check_call(node, within, other_calls)
            case Boolean(at=at):
                raise SpecError(f"true and false have no value in {within}", at=at, remedy="write a number")
            case Index(at=at) | Transpose(at=at) | Binary(("//" | "%" | "@"), _, _, at):
                remedy = "expected + - * / **, where and functions of one number"
                raise SpecError(f"{within} works entry by entry", at=at, remedy=remedy)


def is_entrywise(function: str) -> bool:
    """Whether such a formula may call the function."""
    return function in _ARITY


def _check_call(call: Call, within: str, other_calls: Collection[str]) -> None:
    arity = _ARITY.get(call.function)
    if arity is None:
        known = (*_ARITY, *other_calls)
        remedy = meant(call.function, known, f"it may call {', '.join(sorted(_ARITY))}")
        raise SpecError(f"unknown function '{call.function}' in {within}", at=call.at, remedy=remedy)
    if len(call.arguments) != arity or call.keywords:
        count = f"{arity} argument{'' if arity == 1 else 's'}"
        raise SpecError(
            f"{call.function} takes {count} in {within}", at=call.at, remedy="it works entry by entry"
        )
