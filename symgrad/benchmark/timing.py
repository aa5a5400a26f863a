"""Times of runs that take turns, so that whatever else the machine does holds all of them up alike."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import ModuleType

    from symgrad.benchmark.workload import Workload

LEAST_ROUNDS = 3
_SAMPLE = 0.02
_LEAST_STEPS, _PILOT_STEPS = 4, 16


@dataclass(frozen=True)
class Times:
    """Seconds of one step: the median of all runs, their quartiles, the fastest, and how many there were."""

    median: float
    lower: float
    upper: float
    fastest: float
    runs: int


@dataclass(frozen=True)
class Contender:
    """Something that makes steps: `run` makes all of `steps`, and gives the seconds it took."""

    name: str
    steps: int
    run: Callable[[], float]


def take_turns(contenders: Sequence[Contender], seconds: float) -> list[Times]:
    """The times of every contender: so many rounds as fit into `seconds`, each of one run of each.

    A run repeats a contender's steps until they have taken long enough to be timed.
    """
    repeats = [max(1, math.ceil(_SAMPLE / max(contender.run(), 1e-9))) for contender in contenders]
    found: list[list[float]] = [[] for _ in contenders]
    start = time.perf_counter()
    while len(found[0]) < LEAST_ROUNDS or time.perf_counter() - start < seconds:
        for contender, times, again in zip(contenders, found, repeats, strict=True):
            times.append(sum(contender.run() for _ in range(again)) / (again * contender.steps))
    return [_times(times) for times in found]


def _times(seconds: Iterable[float]) -> Times:
    sample = np.array(list(seconds))
    lower, median, upper = np.quantile(sample, [0.25, 0.5, 0.75])
    return Times(float(median), float(lower), float(upper), float(sample.min()), len(sample))


def run_of(work: Workload, module: ModuleType) -> Callable[[], float]:
    """A pass of a module over the workload from its first parameters; the seconds it takes."""
    first, call = module.flatten(module.init_params(0)), _call(work, module)

    def run() -> float:
        params = module.unflatten(first.copy())
        state = module.init_state(params)
        start = time.perf_counter()
        value = call(params, state)
        seconds = time.perf_counter() - start
        if isinstance(value, float) and not math.isfinite(value):
            raise DivergedError
        return seconds

    return run


class DivergedError(Exception):
    """The loss stopped being a finite number."""


def _call(work: Workload, module: ModuleType) -> Callable[[Any, Any], object]:
    data, size, order = tuple(work.arrays.values()), work.batch, work.order
    if work.kind == "training step" and size is not None:
        return lambda params, state: module.train_epoch(params, state, *data, batch_size=size, order=order)
    if work.kind == "training step":
        return lambda params, state: module.train_step(params, state, *data)
    if work.kind == "forward pass":
        inputs = tuple(work.arrays[name] for name in module.INPUTS)
        return lambda params, _: module.forward(params, *inputs)
    evaluate = module.input_gradients if work.kind == "gradient" else module.loss
    return lambda params, _: evaluate(params, *data)


def grown(work: Workload) -> Workload:
    """The workload with as many steps in a pass as make the calls around them negligible, where it can.

    Raises:
        DataError: the loss is not finite even after one step.
    """
    pilot = work.with_steps(min(_PILOT_STEPS, work.most_steps))
    run = run_of(pilot, pilot.module)
    steps = work.steps
    try:
        run()
        wanted = math.ceil(_SAMPLE / max(min(run() for _ in range(3)) / pilot.steps, 1e-9))
        steps = min(max(work.steps, wanted, _LEAST_STEPS), work.most_steps)
    except DivergedError:
        pass
    return finite(work.with_steps(steps))


def finite(work: Workload) -> Workload:
    """The workload, or as many of its first steps as can be made before the loss is no number any more."""
    steps = work.steps
    while True:
        tried = work.with_steps(steps)
        try:
            run_of(tried, tried.module)()
        except DivergedError:
            if steps == 1:
                problem = f"the loss of {work.origin} is not a finite number at the first parameters"
                raise DataError(problem, at=work.model.spec.name, remedy="choose another seed") from None
            steps //= 2
        else:
            return tried
