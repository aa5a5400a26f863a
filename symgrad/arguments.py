"""Numbers that callers of the Python interface give: of the kind and range asked for, or a clear error."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import TYPE_CHECKING, TypeVar

from symgrad.errors import SymgradError

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


def whole(name: str, value: object, least: int) -> int:
    """`value` as an int.

    Raises:
        SymgradError: it is no whole number, or less than `least`.
    """
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
        raise SymgradError(f"{name} is {value!r}", remedy=f"expected a whole number, at least {least}")
    return int(value)


def finite(name: str, value: object) -> float:
    """`value` as a float.

    Raises:
        SymgradError: it is no finite number.
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(_as_float(value)):
        raise SymgradError(f"{name} is {value!r}", remedy="expected a finite number")
    return float(value)


def positive(name: str, value: object) -> float:
    """`value` as a float.

    Raises:
        SymgradError: it is no number above 0.
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 < _as_float(value) < math.inf:
        raise SymgradError(f"{name} is {value!r}", remedy="expected a number above 0")
    return float(value)


def one_of(name: str, value: T, allowed: Sequence[T]) -> T:
    """`value`, which is one of these.

    Raises:
        SymgradError: it is none of them.
    """
    if value not in allowed:
        raise SymgradError(f"{name} is {value!r}", remedy=f"expected {' or '.join(map(repr, allowed))}")
    return value


def _as_float(value: Real) -> float:
    """Infinity for a whole number too large for a float."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
