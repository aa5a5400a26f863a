"""Points that are drawn instead of read: the numbers of each input by their range, or by what they may be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from zlib import crc32

from symgrad.errors import SpecError, did_you_mean
from symgrad.spec.model import PointsSpec
from symgrad.spec.reading.constant_block import plain_number
from symgrad.spec.reading.schema import ChoicesBlock, PointsBlock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.errors import Position
    from symgrad.spec.reading.document import Document, Key

_REMEDY = "write [-1, 1] for a range, or {of: [-1, 1]} for one number or the other"


def points_spec(block: PointsBlock, tensors: tuple[str, ...], document: Document, key: Key) -> PointsSpec:
    """The points of one set, whose inputs and targets are these `tensors`.

    Raises:
        SpecError: a range of what is none of them, one of them without a range, and what are no numbers.
    """
    ranges: dict[str, tuple[float, float]] = {}
    choices: dict[str, tuple[float, ...]] = {}
    for name, given in block.points.items():
        place = document.place((*key, "points", name))
        if name not in tensors:
            problem = f"a range of '{name}', which is no input or target here"
            remedy = did_you_mean(name, tensors) or f"expected {' or '.join(tensors)}"
            raise SpecError(problem, at=place.key, remedy=remedy)
        if isinstance(given, ChoicesBlock):
            choices[name] = _numbers(name, given.of, place.value)
        else:
            least, most = _numbers(name, given, place.value)
            if not least < most:
                problem = f"the range of '{name}' is from {least:g} to {most:g}"
                raise SpecError(problem, at=place.value, remedy="expected the smaller number first")
            if not math.isfinite(most - least):
                problem = f"the range of '{name}' is wider than any number"
                raise SpecError(problem, at=place.value, remedy="bring it nearer to 1")
            ranges[name] = (least, most)
    missing = [name for name in tensors if name not in block.points]
    if missing:
        remedy = f"add {missing[0]}: [0, 1], for example, or train on a file"
        at = document.place((*key, "points")).key
        raise SpecError(f"no range of '{missing[0]}', which is of these points too", at=at, remedy=remedy)
    if block.resample and "validation" in key:
        at = document.place((*key, "resample")).value
        problem = "points that are held out are the same in every epoch, so that their loss can be compared"
        raise SpecError(problem, at=at, remedy="leave resample out, or write it under 'data'")
    stream = crc32("/".join(map(str, (*key[:2], *key[3:4]))).encode())
    drawn = tuple(ranges.items()), tuple(choices.items()), block.number, block.method
    return PointsSpec(*drawn, stream, block.resample)


def _numbers(name: str, given: Sequence[Any], at: Position) -> tuple[float, ...]:
    """Raises SpecError for what is no number."""
    numbers = tuple(plain_number(value, at) for value in given)
    if not all(map(math.isfinite, numbers)):
        raise SpecError(f"the range of '{name}' is not of numbers", at=at, remedy=_REMEDY)
    return numbers
