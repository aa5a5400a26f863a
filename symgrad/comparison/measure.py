"""What one way gives, and how long it takes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from symgrad.comparison.ways import Way
    from symgrad.verifier.interpretation.array_library import Array

    T_ = TypeVar("T_")

_REPEATS, _ENOUGH_SECONDS = 21, 0.3


@dataclass(frozen=True)
class MeasuredGradient:
    """The loss and the gradient; the time of one gradient, and that of the first call, compiling included."""

    loss: float
    gradient: Array
    seconds: float
    first_seconds: float


def measure(way: Way, time_limit: float) -> MeasuredGradient | str:
    """Run a way several times, or say why not: there is none, or it would take over `time_limit` seconds.

    The fastest run counts: others were held up by whatever else the machine did, and most of all those of
    libraries with several threads.
    """
    if way.run is None:
        return way.refusal
    first, _ = _timed(way.once or way.run)
    once, _ = _timed(way.once or way.run)
    if once * way.evaluations > time_limit:
        expected = f"{way.evaluations:,} evaluations would take {once * way.evaluations:,.0f} s"
        return f"{expected}, more than the limit of {time_limit:g} s (--time-limit)"
    seconds, (loss, gradient) = _timed(way.run)
    times = [seconds]
    while len(times) < _REPEATS and sum(times) < _ENOUGH_SECONDS:
        times.append(_timed(way.run)[0])
    return MeasuredGradient(loss, gradient, min(times), first)


def _timed(call: Callable[[], T_]) -> tuple[float, T_]:
    start = time.perf_counter()
    value = call()
    return time.perf_counter() - start, value
