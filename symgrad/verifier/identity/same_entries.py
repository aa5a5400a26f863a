"""How the entries of a text's answers are held against those of its spec."""

from __future__ import annotations

import math
from itertools import dropwhile
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from symgrad.verifier.identity.memory.bounded_memory import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.verifier.interpretation.array_library import Array

DIGITS, ROUNDED_DIGITS = 30, 12
"""Digits that are compared, and where a text holds constants that are rounded."""


class DifferenceError(Exception):
    """An entry that is not the spec's; the message says which."""


Same: TypeAlias = "Callable[[Any, Any, float, int], bool]"


def same(a: Any, b: Any, *_: float) -> bool:
    """Whether two elements of a field are equal."""
    return bool(a == b)


def close(a: Any, b: Any, scale: float, digits: int) -> bool:
    """Whether two numbers are equal to so many digits, or both are none."""
    return bool(a == b or abs(a - b) <= 10.0**-digits * scale or (a != a and b != b))


Admits: TypeAlias = "Callable[[str, int, Any, Any], bool]"
"""Whether an entry of a tensor may be what a text has, though it is not what the spec's tape has."""


def demand_same(
    what: str,
    found: Array | None,
    expected: Array,
    digits: int,
    equal: Same,
    admits: Admits = lambda *_: False,
) -> None:
    """Hold the entries of a tensor against the spec's.

    Raises:
        DifferenceError: one differs by more than so many digits allow.
    """
    if found is None or found.shape != expected.shape:
        shape = None if found is None else found.shape
        raise DifferenceError(f"{what} has shape {shape}, the spec's is {expected.shape}")
    sizes = (float(abs(value)) for value in expected.flat) if equal is close else ()
    scale = max([1.0, *(size for size in sizes if math.isfinite(size))])
    others = [
        (place, a, b)
        for place, (a, b) in enumerate(zip(found.flat, expected.flat, strict=True))
        if not (_is_number(a) and equal(a, b, scale, digits))
    ]
    # To admit an entry takes long: so the first one that is not decides.
    wrong = list(dropwhile(lambda other: admits(what, *other), others))
    if wrong:
        entry = list(map(int, np.unravel_index(wrong[0][0], expected.shape)))
        which = (
            f"{len(wrong)} of {expected.size} entries, the first at {entry}"
            if expected.ndim
            else "the number"
        )
        raise DifferenceError(f"{what} is not the spec's: {which}")


def _is_number(entry: Any) -> bool:
    """Whether an entry is one that can be compared: a text may put NaN or an array there."""
    is_array = isinstance(entry, np.ndarray | View)
    return not is_array and not (isinstance(entry, float) and not math.isfinite(entry))
