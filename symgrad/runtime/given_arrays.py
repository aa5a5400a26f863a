"""What callers give is checked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from symgrad.runtime.smallest_model import (
    AXES,
    BY_COLUMNS,
    CLASSES,
    DTYPE,
    FREE_AXES,
    IGNORED,
    LEAST_SIZES,
    _sizes,
)


def _show(sizes: Iterable[object]) -> str:
    return f"[{', '.join(map(str, sizes))}]"


def _as_numbers(name: str, value: Any) -> np.ndarray:
    """What a caller gave for one argument, as an array of numbers."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name}: expected plain numbers, got a masked array; fill its gaps first")
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: expected an array, got rows of different lengths") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name}: expected numbers, got {array.dtype}")
    return array


def _fitting(
    name: str,
    value: Any,
    extents: dict[str, int],
    dtype: type,
    axes_of: Mapping[str, tuple[str | int, ...]] = AXES,
) -> np.ndarray:
    """One argument as an array of the right type and shape; the sizes of free axes go into `extents`."""
    array, axes = _as_numbers(name, value), axes_of[name]
    if array.ndim != len(axes) or any(
        a != s for a, s in zip(axes, array.shape, strict=True) if not isinstance(a, str)
    ):
        raise ValueError(f"{name}: expected shape {_show(axes)}, got {_show(array.shape)}")
    for axis, size in zip(axes, array.shape, strict=True):
        if isinstance(axis, str) and extents.setdefault(axis, size) != size:
            raise ValueError(
                f"{name}: expected {extents[axis]} along '{axis}', as in the arrays before it, got {size}"
            )
        if size == 0:
            raise ValueError(f"{name}: no entries along '{axis}'")
        if isinstance(axis, str) and size < LEAST_SIZES.get(axis, 1):
            raise ValueError(f"{name}: expected at least {LEAST_SIZES[axis]} along '{axis}', got {size}")
    if name in CLASSES:
        return _own_numbers(array)
    if array.dtype.kind in "iu":
        _check_digits(name, array, dtype)
    return _as_compiled(array, dtype)


def _check_digits(name: str, array: np.ndarray, dtype: type) -> None:
    """Refuse whole numbers of more digits than the type has: it would take their neighbours for them."""
    digits = np.finfo(dtype).nmant + 1
    if max(-int(array.min()), int(array.max())) <= 2**digits:
        return
    numbers = np.atleast_1d(array).astype(np.uint64 if array.dtype.kind == "u" else np.int64)
    sizes = np.abs(numbers).astype(np.uint64)
    units = sizes & (~sizes + np.uint64(1))  # the lowest digit of each that is not 0
    good = (sizes // np.maximum(units, 1) < 2**digits).reshape(array.shape)
    if not good.all():
        otherwise = ", or float64" if digits < 53 else ""
        expected = f"a whole number that {np.dtype(dtype)} holds with all its digits{otherwise}"
        raise ValueError(f"{name}: {_which(array, good)}; expected {expected}, or a rounded one as a float")


def _as_compiled(array: np.ndarray, dtype: type) -> np.ndarray:
    """The array as compiled code takes it: itself, where it is so already."""
    if array.dtype == dtype and array.flags.carray:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        fitting: np.ndarray = array.astype(dtype, "C", copy=False)
    return np.require(fitting, requirements=("C", "ALIGNED", "WRITEABLE"))


def _own_numbers(array: np.ndarray) -> np.ndarray:
    """A copy as whole numbers: once they are checked, compiled code reads there, whatever threads do."""
    if array.dtype == np.int64:
        return array.copy()
    with np.errstate(invalid="ignore"):
        return array.astype(np.int64, "C")


def _checked(
    name: str,
    value: Any,
    extents: dict[str, int],
    dtype: type,
    axes_of: Mapping[str, tuple[str | int, ...]] = AXES,
) -> np.ndarray:
    """The same, with every entry a finite number or a label."""
    fitting, array = _fitting(name, value, extents, dtype, axes_of), np.asarray(value)
    if name not in CLASSES:
        good = np.isfinite(fitting)
    elif array.dtype.kind in "iu" and fitting.min() >= 0 and fitting.max() < CLASSES[name]:
        return fitting
    else:
        good = (fitting == array) & (fitting >= 0) & (fitting < CLASSES[name])
        if name in IGNORED:
            good |= (fitting == array) & (fitting == IGNORED[name])
    if good.all():
        return fitting
    raise ValueError(f"{name}: {_which(array, good)}; expected {_expected(name, dtype)}")


def _which(array: np.ndarray, good: np.ndarray) -> str:
    """The first entry that is not good, by its place."""
    place = np.unravel_index(np.argmin(good), array.shape)
    return f"{f'the entry at {_show(map(int, place))}' if place else 'the number'} is {array[place]}"


def _expected(name: str, dtype: type) -> str:
    if name not in CLASSES:
        return f"a finite number that {np.dtype(dtype)} can hold"
    none = f", or {IGNORED[name]} for none" if name in IGNORED else ""
    return f"a whole number from 0 to {CLASSES[name] - 1}{none}"


def _given(
    names: Sequence[str],
    given: Sequence[Any],
    dtype: type | None = None,
    check: Callable[..., np.ndarray] = _checked,
) -> tuple[list[np.ndarray], list[int]]:
    """The arrays a caller gave, checked, and the sizes that they decide."""
    extents: dict[str, int] = {}
    arrays = [check(name, value, extents, dtype or DTYPE) for name, value in zip(names, given, strict=True)]
    sizes = _sizes(*(extents.get(axis, 1) for axis in FREE_AXES))
    return [np.atleast_1d(array) for array in arrays], list(sizes)


def _in_memory(name: str, array: np.ndarray) -> np.ndarray:
    """The array as compiled code keeps it: an axis of samples may come last in memory."""
    if BY_COLUMNS and FREE_AXES[0] in AXES[name]:
        return np.ascontiguousarray(array.transpose(*range(1, array.ndim), 0))
    return array


def _arguments(
    names: Sequence[str], given: Sequence[Any], dtype: type | None = None
) -> tuple[list[np.ndarray], list[int]]:
    """The same, as compiled code wants them."""
    arrays, extents = _given(names, given, dtype)
    return [_in_memory(name, array) for name, array in zip(names, arrays, strict=True)], extents


def _generator(seed: Any) -> np.random.Generator:
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise type(error)(f"seed: expected a whole number from 0, got {seed!r}") from None


def _whole(name: str, value: Any, least: int, otherwise: str = "") -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}: expected a whole number from {least}{otherwise}, got {value!r}")
    return int(value)


def _is_full(batch_size: Any) -> bool:
    return isinstance(batch_size, str) and batch_size == "full"


def _rows_of_batch(batch_size: Any, rows: int) -> int:
    return rows if _is_full(batch_size) else min(_whole("batch_size", batch_size, 1, " or 'full'"), rows)
