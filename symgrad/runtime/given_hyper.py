"""Hyper-parameters that callers give are checked."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from symgrad.runtime.given_arrays import _whole
from symgrad.runtime.smallest_model import DTYPE, HYPER, LEFT_OUT, NEVER_ZERO, RANGES

_NUMBERS = (int, float, np.integer, np.floating)
_DEFAULTS = np.array([*HYPER.values()], np.float64)


def _setting(given: Sequence[Any]) -> tuple[Any, ...]:
    """What a step is told: the epoch, from 0, how many there are, where a schedule asks, hyper-parameters."""
    epoch, hyper = _whole("epoch", given[0], 0), _hyper_vector(given[-1])
    return (epoch, _whole("epochs", given[1], 1), hyper) if len(given) > 2 else (epoch, hyper)


def _hyper_vector(hyper: Any) -> np.ndarray:
    """All hyper-parameters, the module's own but for those given."""
    if hyper is None:
        return _DEFAULTS
    if not isinstance(hyper, dict):
        raise TypeError(f"hyper: expected a dict of numbers by their names, got {type(hyper).__name__}")
    numbers = {**HYPER, **{name: _hyper_number(name, value) for name, value in hyper.items()}}
    for name, allowed in RANGES.items():
        number, held = numbers[name], float(DTYPE(numbers[name]))
        if not _lies_in(allowed, held, numbers):
            rounded = f", for {np.dtype(DTYPE)} {held:g}" if _lies_in(allowed, number, numbers) else ""
            raise ValueError(f"hyper: {name} is {number:.10g}{rounded}; expected a number in {allowed}")
    return np.array([*numbers.values()], np.float64)


def _hyper_number(name: Any, value: Any) -> float:
    if name in LEFT_OUT:
        raise ValueError(f"hyper: {name} is 0 in the spec, so no step computes its terms; write it there")
    if name not in HYPER:
        raise ValueError(f"hyper: there is no {name!r}; expected {' or '.join(HYPER) or 'none'}")
    if isinstance(value, (bool, np.bool_, np.timedelta64)) or not isinstance(value, _NUMBERS):
        raise TypeError(f"hyper: {name} must be a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"hyper: {name} is larger than any number of {np.dtype(DTYPE)}") from None
    with np.errstate(over="ignore", under="ignore"):
        held = float(DTYPE(number))
    if not math.isfinite(held) or (number and not held):
        raise ValueError(f"hyper: {name} is {number:g}, which {np.dtype(DTYPE)} cannot hold")
    if name in NEVER_ZERO and not number:
        raise ValueError(f"hyper: {name} cannot become 0, which makes another step; write it in the spec")
    return number


def _lies_in(allowed: str, number: float, numbers: dict[str, float]) -> bool:
    """Whether a number lies in an interval such as `[0, 1)`; an end may be the name of another one."""
    least, most = (numbers[end] if end in numbers else float(end) for end in allowed[1:-1].split(", "))
    above = number > least if allowed[0] == "(" else number >= least
    return above and (number < most if allowed[-1] == ")" else number <= most)
