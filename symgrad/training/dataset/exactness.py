"""Numbers that their type does not hold: long ones, as time stamps are, become others, and tiny ones 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataWarning, warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike, NDArray

_REMEDIES = {
    "float32": "use dtype: float64, or subtract an offset in the file (standardize: true does, for inputs)",
    "float64": "subtract an offset in the file",
}
_REMEDIES_OF_TINY = {
    "float32": "use dtype: float64, or scale the column in the file (standardize: true does, for inputs)",
    "float64": "scale the column in the file",
}


def to_float(
    values: NDArray[Any], dtype: DTypeLike, place: Callable[[int, int], str], name: str = ""
) -> NDArray[np.floating[Any]]:
    """The values in a floating-point type, with a warning where whole numbers or time stamps lose digits,
    and where tiny ones become 0.

    `place(row, entry)` says where an entry stands, `name` which tensor it is for.
    """
    with np.errstate(over="ignore"):
        cast: NDArray[np.floating[Any]] = np.ascontiguousarray(values, dtype=dtype)
    lossy = _lossy(values, cast) if _is_large(values, cast) else np.zeros(0, bool)
    if lossy.any():
        flat = lossy.reshape(len(lossy), -1)
        row, entry = (int(index) for index in np.unravel_index(int(flat.argmax()), flat.shape))
        before, after = (array.reshape(flat.shape)[row, entry] for array in (values, cast))
        warn_of_loss(before.item(), float(after), cast.dtype.name, place(row, entry), name)
    if np.count_nonzero(cast) < np.count_nonzero(values):
        flat = ((values != 0) & (cast == 0)).reshape(len(values), -1)
        row, entry = (int(index) for index in np.unravel_index(int(flat.argmax()), flat.shape))
        tiny = repr(values.reshape(flat.shape)[row, entry].item())
        warn_of_zero(tiny, cast.dtype.name, place(row, entry), name)
    return cast


def warn_of_loss(before: float, after: float, dtype: str, at: str, name: str = "") -> None:
    """Warn that a number becomes another."""
    whose = f" (for '{name}')" if name else ""
    problem = f"{_shown(before)} becomes {_shown(after)} in {dtype}, which holds fewer digits{whose}"
    warn(DataWarning(problem, at=at, remedy=_REMEDIES[dtype]))


def warn_of_zero(written: str, dtype: str, at: str, name: str = "") -> None:
    """Warn that a tiny number becomes 0."""
    whose = f" (for '{name}')" if name else ""
    problem = f"{written} becomes 0 in {dtype}, which holds no number so small{whose}"
    warn(DataWarning(problem, at=at, remedy=_REMEDIES_OF_TINY[dtype]))


def _shown(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)


def _is_large(values: NDArray[Any], cast: NDArray[np.floating[Any]]) -> bool:
    """Whether a number may have too many digits: most data are small, and then nothing is copied."""
    digits = np.finfo(cast.dtype).nmant + 1
    if not values.size or (values.dtype.kind in "iu" and 8 * values.dtype.itemsize <= digits):
        return False
    return bool(values.max() > 2**digits or values.min() < -(2**digits))


def _lossy(values: NDArray[Any], cast: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    digits = np.finfo(cast.dtype).nmant + 1
    if values.dtype.kind in "iu":
        return _lossy_integers(values, digits)
    with np.errstate(invalid="ignore"):
        large = np.isfinite(cast) & (np.abs(values) > 2.0**digits) & (np.abs(values) <= 2.0**53)
    whole = large & (np.floor(values) == values)
    lost: NDArray[np.bool_] = whole & (cast != values)
    if lost.any() or not large.any():
        return lost
    # Measurements are always rounded; time stamps are so much that neighbours become one.
    merged = 2 * np.unique(cast[large]).size < np.unique(values[large]).size
    return large & (cast != values) if merged else lost


def _lossy_integers(values: NDArray[Any], digits: int) -> NDArray[np.bool_]:
    """Whether bits are set below the `digits` highest ones."""
    size = np.abs(values).astype(np.uint64)
    length = np.frexp(size.astype(np.float64))[1]
    below = np.clip(length - digits, 0, 63).astype(np.uint64)
    mask = (np.uint64(1) << below) - np.uint64(1)
    lost: NDArray[np.bool_] = (size & mask) != 0
    return lost
