"""What numbers are drawn by, behind the data that a caller gave; in place of the data alone."""

from collections.abc import Sequence
from typing import Any

from symgrad.runtime.given_arrays import _given, _in_memory, _whole
from symgrad.runtime.optional.drawing.drawing_state import _seed
from symgrad.runtime.smallest_model import KEY


def _arguments(
    names: Sequence[str], given: Sequence[Any], dtype: type | None = None
) -> tuple[list[Any], list[int]]:
    """The arrays as compiled code wants them, then what numbers are drawn by."""
    arrays, extents = _given(names, given[: len(names)], dtype)
    held = [_in_memory(name, array) for name, array in zip(names, arrays, strict=True)]
    return [*held, _drawn_by(names, given)], extents


def _drawn_by(names: Sequence[str], given: Sequence[Any]) -> tuple[int, int, int]:
    """The key behind the arrays that a caller gave; that of inference where there is none."""
    key: tuple[int, int, int] = given[len(names)] if len(given) > len(names) else KEY
    return key


def _key(seed: Any, step: Any) -> tuple[int, int, int]:
    """What a step of training draws by: the seed, how many steps were made before, and the rows before."""
    made = _whole("step", step, 0)
    if made >= 2**32:
        raise ValueError(f"step: expected a whole number below 2**32, got {step!r}")
    return _seed(seed), made, 0
