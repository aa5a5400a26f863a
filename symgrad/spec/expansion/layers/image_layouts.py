"""Images whose channels stand first, as PyTorch has them: a layer sees them with its channels last."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.spec.language.syntax import Call, Name, Node, Number
from symgrad.spec.language.unparse import unparse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


CHANNELS_FIRST, CHANNELS_LAST = "channels_first", "channels_last"


def is_channels_first(call: Call, values: Mapping[str, Node]) -> bool:
    """Whether a layer's `layout` says so; one without that argument has no places.

    Raises:
        SpecError: it says something else than channels_first or channels_last.
    """
    layout = values.get("layout")
    if layout is None:
        return False
    if isinstance(layout, Name) and layout.id in (CHANNELS_FIRST, CHANNELS_LAST):
        return layout.id == CHANNELS_FIRST
    raise SpecError(
        f"{call.function}: layout is {unparse(layout)}",
        at=layout.at,
        remedy=f"expected {CHANNELS_FIRST} or {CHANNELS_LAST}",
    )


def channels_first(axes: Sequence[str]) -> tuple[str, ...]:
    """The names of axes `[batch, ..., channels]`, those of the channels behind the batch."""
    return (axes[0], axes[-1], *axes[1:-1])


def with_channels_last(x: Node, rank: int) -> Call:
    """What a tensor of this rank with its channels first is to a layer."""
    return _turned(x, (0, *range(2, rank), 1))


def with_channels_first(x: Node, rank: int) -> Call:
    """What a layer gives, with its channels first."""
    return _turned(x, (0, rank - 1, *range(1, rank - 1)))


def _turned(x: Node, order: Iterable[int]) -> Call:
    return Call("transpose", (x, *(Number(Fraction(axis), x.at) for axis in order)), (), x.at)
