"""The constants block: fixed numbers, vectors, matrices and stacks of them, by name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from symgrad.errors import Position, SpecError
from symgrad.spec.language.formula import parse_formula
from symgrad.spec.language.names import shorten
from symgrad.spec.language.number_types import LARGEST
from symgrad.spec.model import ConstantSpec
from symgrad.spec.numbers import number
from symgrad.spec.reading.fields import MAX_RANK
from symgrad.spec.reading.located import check_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from symgrad.spec.reading.document import Document, Key, Plain
    from symgrad.spec.reading.schema import SpecBlock

_REMEDY = "write 0.5, 0.01 / pi, [1, 2] or [[1, 2], [3, 4]], for example"
_KNOWN = {"pi": math.pi, "e": math.e}
"""What formulas of constants may name, with the single numbers above them."""


def constant_specs(block: SpecBlock, document: Document) -> tuple[ConstantSpec, ...]:
    """The constants of a spec, each a number or lists of equal lengths within each other.

    A number may be a formula of numbers, pi, e and single constants above it: `0.01 / pi`.

    Raises:
        SpecError: at the entry that is no number the spec's type can hold, or at the list of another length.
    """
    found, known = [], dict(_KNOWN)
    for name, value in block.constants.items():
        key: Key = ("constants", name)
        check_key(document, key)
        shape = _shape(value, key, document)
        entries = tuple(_entries(value, shape, key, document, LARGEST[block.dtype], known))
        known.pop(name, None)
        known |= {} if shape else {name: entries[0]}
        found.append(ConstantSpec(name, shape, entries, document.place(key).key))
    return tuple(found)


def _shape(value: Plain, key: Key, document: Document) -> tuple[int, ...]:
    """The lengths of the first list, of the first list in it, and so on."""
    shape: list[int] = []
    inner, at = value, key
    while isinstance(inner, list):
        if not inner:
            raise _error("a constant holds an empty list", document.place(at).value)
        shape.append(len(inner))
        inner, at = inner[0], (*at, 0)
    if len(shape) > MAX_RANK:
        problem = f"a constant is nested {len(shape)} deep, at most {MAX_RANK} will do"
        raise _error(problem, document.place(key).value)
    return tuple(shape)


def _entries(
    value: Plain,
    shape: tuple[int, ...],
    key: Key,
    document: Document,
    largest: float,
    known: Mapping[str, float],
) -> Iterator[float]:
    at = document.place(key).value
    if not shape:
        yield _number(_computed(value, at, known), at, largest)
        return
    if not isinstance(value, list) or len(value) != shape[0]:
        found = f"a list of {len(value)}" if isinstance(value, list) else "no list"
        raise _error(f"this is {found}, the first one beside it is a list of {shape[0]}", at)
    for place, part in enumerate(value):
        yield from _entries(part, shape[1:], (*key, place), document, largest, known)


def _computed(value: Plain, at: Position, known: Mapping[str, float]) -> Plain:
    """What a formula of numbers comes to; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        found = number(parse_formula(value, at), known)
    except SpecError:
        return value
    return value if found is None or not math.isfinite(found) else found


def plain_number(value: Plain, at: Position) -> float:
    """A number, or what a formula of numbers comes to; NaN for anything else."""
    found = _computed(value, at, _KNOWN)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else math.nan


def _number(value: Plain, at: Position, largest: float) -> float:
    if isinstance(value, list):
        raise _error(f"this is a list of {len(value)}, the first one beside it is a number", at)
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = "nothing" if value is None else f"'{shorten(str(value)).lower()}'"
        raise _error(f"{shown} is no number", at)
    if abs(value) > largest:
        raise _error(f"the number {value:g} is beyond {largest:.3g}, the largest of its type", at)
    return float(value)


def _error(problem: str, at: Position) -> SpecError:
    return SpecError(problem, at=at, remedy=_REMEDY)
