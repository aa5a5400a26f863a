"""Places of sequences that are not there: hidden by a mask in the data, or behind the length of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symgrad.spec.library.layer_entries import LayerDemand, LayerHiding

if TYPE_CHECKING:
    from collections.abc import Collection

HIDING = (("mask", ("batch", "places")), ("lengths", ("batch",)))
"""The operands that hide places, and their axes."""


def where_seen(value: object, otherwise: object, place: str, chosen: Collection[str]) -> str:
    """A formula: the value at an index of places, something else where one of the operands hides it."""
    formula = str(value)
    for name, condition in (("mask", f"mask[n,{place}] > 0"), ("lengths", f"{place} < lengths[n]")):
        if name in chosen:
            formula = f"where({condition}, {formula}, {otherwise})"
    return formula


def seen_demands(source: str, axis: int, chosen: Collection[str]) -> tuple[LayerDemand, ...]:
    """As many places in a mask, and as many rows in each operand that hides, as `source` has."""
    places = LayerDemand(
        f"size(mask, 1) == size({source}, {axis})",
        f"mask is of {{size(mask, 1)}} places, {source} of {{size({source}, {axis})}}",
        "expected as many places of both",
    )
    rows = (
        LayerDemand(
            f"size({name}, 0) == size({source}, 0)",
            f"{name} is of {{size({name}, 0)}} rows, {source} of {{size({source}, 0)}}",
            "expected as many rows of both",
        )
        for name, _ in HIDING
        if name in chosen
    )
    return (*((places,) if "mask" in chosen else ()), *rows)


def hidden_by(source: str, axis: int, chosen: Collection[str]) -> tuple[LayerHiding, ...]:
    """The operands that hide places along this axis of `source`."""
    most = {"mask": "", "lengths": f"size({source}, {axis})"}
    return tuple(LayerHiding(name, most[name]) for name, _ in HIDING if name in chosen)
