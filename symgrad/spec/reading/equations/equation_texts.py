"""Equations as they stand in a spec: `name: formula`, `name[n, k]: formula`, `"a, b": split(x, 2)`."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.formula import parse_head
from symgrad.spec.language.names import check_name
from symgrad.spec.language.unparse import unparse
from symgrad.spec.model import EachStep, EquationSpec
from symgrad.spec.reading.equations.several_names import named_parts
from symgrad.spec.reading.located import formula_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.errors import Position
    from symgrad.spec.language.formula import Head
    from symgrad.spec.reading.document import Document, Key


def equations_in(key: Key, formulas: Mapping[str, str], document: Document) -> tuple[EquationSpec, ...]:
    return tuple(e for name, text in formulas.items() for e in equations_at((*key, name), text, document))


def equations_at(key: Key, text: str, document: Document) -> Iterator[EquationSpec]:
    """The equation at a key, or those of several names on its left side."""
    left = str(key[-1])
    if "," in left and "[" not in left:
        yield from named_parts(left, formula_at(document, key, text), document.place(key).key)
    else:
        yield _equation(key, text, document)


def _equation(key: Key, text: str, document: Document) -> EquationSpec:
    at, name = document.place(key).key, str(key[-1])
    if "[" not in name:
        return EquationSpec(check_name(name, at), None, formula_at(document, key, text), at)
    head = parse_head(name, at)
    formula = formula_at(document, key, text)
    if any(not index for index, _ in head.indices):
        return EquationSpec(check_name(head.name, at), None, formula, at, each=_each_step(head, at))
    indices = _distinct(tuple(name for name, _ in head.indices), at)
    ranges = tuple((name, size) for name, size in head.indices if size is not None)
    return EquationSpec(check_name(head.name, at), indices, formula, at, ranges)


def _entry_wise(head: Head) -> str:
    """The left side with an index for every axis, `p[n, j:J]` for `p[n, :J]`."""
    taken = {index for index, _ in head.indices}
    letters = (letter for letter in ascii_lowercase[8:] + ascii_lowercase[:8] if letter not in taken)
    named = [(index or next(letters), size) for index, size in head.indices]
    places = [index if size is None else f"{index}:{unparse(size)}" for index, size in named]
    return f"{head.name}[{', '.join(places)}]"


def _each_step(head: Head, at: Position) -> EachStep:
    """What a left side says that takes axes whole: one index counts steps.

    Raises:
        SpecError: none does, or several.
    """
    along = [number for number, (index, _) in enumerate(head.indices) if index]
    if len(along) != 1:
        problem = f"'{head.name}' takes axes whole and has {len(along)} indices"
        remedy = f"one index counts steps: {head.name}[:, t]; or give each axis an index: {_entry_wise(head)}"
        raise SpecError(problem, at=at, remedy=remedy)
    index = check_name(head.indices[along[0]][0], at)
    return EachStep(index, along[0], tuple(size for _, size in head.indices))


def _distinct(indices: tuple[str, ...], at: Position) -> tuple[str, ...]:
    for name in indices:
        check_name(name, at)
        if indices.count(name) > 1:
            problem = f"the index '{name}' stands twice on the left"
            raise SpecError(problem, at=at, remedy="give each place an index of its own")
    return indices
