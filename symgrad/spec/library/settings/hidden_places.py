"""Places of sequences that are not there: hidden by a mask in the data, or behind the length of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.syntax import Boolean

if TYPE_CHECKING:
    from collections.abc import Collection

    from symgrad.spec.language.syntax import Call
    from symgrad.spec.library.layer_entries import Arguments

HIDING = (("mask", ("batch", "places")), ("lengths", ("batch",)))
"""The operands that hide places, and their axes."""


def where_seen(value: object, otherwise: object, place: str, chosen: Collection[str]) -> str:
    """A formula: the value at an index of places, something else where one of the operands hides it."""
    formula = str(value)
    for name, condition in (("mask", f"mask[n,{place}] > 0"), ("lengths", f"{place} < lengths[n]")):
        if name in chosen:
            formula = f"where({condition}, {formula}, {otherwise})"
    return formula


def hiding(_call: Call, values: Arguments) -> Arguments:
    """Nothing, where mask and lengths are tensors or not given.

    Raises:
        SpecError: one of them is `true`.
    """
    for name, axes in HIDING:
        if values[name] == Boolean(True, values[name].at):
            problem = f"{name}: expected a tensor [{', '.join(axes)}]"
            remedy = f"write {name}=m, the name of an input, for example"
            raise SpecError(problem, at=values[name].at, remedy=remedy)
    return {}
