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
    if not isinstance(value, Integral) or _is_other(value) or int(value) < least:
        raise SymgradError(f"{name} is {_shown(value)}", remedy=f"expected a whole number, at least {least}")
    return int(value)


def finite(name: str, value: object) -> float:
    """`value` as a float.

    Raises:
        SymgradError: it is no finite number.
    """
    if not isinstance(value, Real) or _is_other(value) or not math.isfinite(_as_float(value)):
        raise SymgradError(f"{name} is {_shown(value)}", remedy="expected a finite number")
    return float(value)


def _is_other(value: object) -> bool:
    """Whether this is a truth, or a span of time, which NumPy counts among whole numbers."""
    return isinstance(value, bool) or type(value).__name__ == "timedelta64"


def _shown(value: object) -> str:
    """A value for people, who do not read hundreds of digits; Python writes no more than thousands."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= 80 else f"{text[:77]}..."


def positive(name: str, value: object) -> float:
    """`value` as a float.

    Raises:
        SymgradError: it is no number above 0.
    """
    if not isinstance(value, Real) or _is_other(value) or not 0 < _as_float(value) < math.inf:
        raise SymgradError(f"{name} is {_shown(value)}", remedy="expected a number above 0")
    return float(value)


def one_of(name: str, value: T, allowed: Sequence[T]) -> T:
    """`value`, which is one of these.

    Raises:
        SymgradError: it is none of them.
    """
    if value not in allowed:
        raise SymgradError(f"{name} is {_shown(value)}", remedy=f"expected {' or '.join(map(repr, allowed))}")
    return value


def _as_float(value: Real) -> float:
    """Infinity for a whole number too large for a float."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
