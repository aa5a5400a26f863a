"""Values of a document in the forms a spec gives them: formulas, calls, names, each where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.names import check_name
from symgrad.spec.language.syntax import Call, Name, Node
from symgrad.spec.language.trees import is_number, signed_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from symgrad.spec.reading.document import Document, Key


def formula_at(document: Document, key: Key, text: str) -> Node:
    """The formula that stands at `key`, read from the user's own spelling, so that 1e-3 stays exact."""
    place = document.place(key)
    return parse_formula(text if place.text is None else place.text, place.value)


def call_at(document: Document, key: Key, text: str, kind: str, example: str) -> Call:
    """The call at `key`; a bare name is a call without arguments.

    Raises:
        SpecError: for any other formula.
    """
    node = formula_at(document, key, text)
    if isinstance(node, Name):
        return Call(node.id, (), (), node.at)
    if not isinstance(node, Call):
        raise SpecError(f"{kind} is a name or a call", at=node.at, remedy=f"write {example}, for example")
    return node


def names_at(document: Document, key: Key, names: Sequence[str]) -> tuple[str, ...]:
    """The list of names at `key`, each of them once.

    Raises:
        SpecError: for what is no name, and for a name that stands twice.
    """
    seen: dict[str, None] = {}
    for i, name in enumerate(names):
        at = document.place((*key, i)).value
        check_name(name, at)
        if name in seen:
            raise SpecError(f"'{name}' stands twice in {key[-1]}", at=at, remedy="name it once")
        seen[name] = None
    return tuple(seen)


def numbers_at(document: Document, key: Key, texts: Mapping[str, str]) -> tuple[tuple[str, Node], ...]:
    """The named numbers in the mapping at `key`; arithmetic between numbers is one.

    Raises:
        SpecError: for a name that cannot be one, and for a value that is not a number.
    """
    return tuple(
        (check_key(document, (*key, name)), _number_at(document, (*key, name), texts[name])) for name in texts
    )


def check_key(document: Document, key: Key) -> str:
    """The last part of `key`, if it can be a name."""
    return check_name(str(key[-1]), document.place(key).key)


def _number_at(document: Document, key: Key, text: str) -> Node:
    node = formula_at(document, key, text)
    if not is_number(node):
        raise SpecError(f"'{key[-1]}' is not a number", at=node.at, remedy="expected one such as 0.1")
    return signed_number(node)
