"""Where the time of a step goes: every statement's own time, measured in place, with what it computes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.benchmark.timing import run_of
from symgrad.compiler.kernels.step_clock import FIRST_PLACE, TimedStatement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from symgrad.benchmark.workload import Workload
    from symgrad.compiler.planning.cost import Cost
    from symgrad.compiler.targets.numba.emit import ClockedText
    from symgrad.verifier.interpretation.array_library import Array

_PHASES = {
    "_forward": "forward",
    "_loss": "loss",
    "_backward": "gradient",
    "_gradient": "gradient",
    "_step_gradient": "gradient",
}
_UPDATES = ("_update", "_update_looked_up", "_end_of_step")
_WHAT = {
    "_gather": "the rows of a batch are gathered",
    "_look_ahead": "the point where the gradient is taken",
    "_update": "the update of all parameters",
    "_update_looked_up": "the update of all parameters, of tables by rows",
    "_shares": "the numbers of the update",
    "_end_of_step": "the rest of the update",
}
_READINGS = 100_000


@dataclass(frozen=True)
class Part:
    """A statement of the step, its seconds in one step, and its cost where the plan knows it.

    `what` are its equations, or what it is for. In a loop over equal layers it stands for `times` of them.
    """

    what: tuple[str, ...]
    seconds: float
    cost: Cost | None
    times: int = 1
    is_product: bool = False


class Clock:
    """The copy of the module that reads a clock, run over a workload."""

    def __init__(self, work: Workload, text: ClockedText, module: Any) -> None:
        self.work, self.text = work, text
        self.ticks, self._read = module._symgrad_ticks, module._symgrad_ticks_cost
        self._pass = run_of(work, module)
        self._pass()
        self._totals: list[Array] = []

    def run(self) -> float:
        """One pass, timed as a whole like that of the module itself."""
        self.ticks[:] = 0
        seconds = self._pass()
        self._totals.append(self.ticks.copy())
        return seconds

    def seconds(self) -> dict[int, float]:
        """What each statement took in one step, by place: the mean of the middle half of all passes.

        What reading the clock takes is not counted.
        """
        count = len(self._totals)
        ranked = sorted(self._totals, key=lambda ticks: int(ticks[FIRST_PLACE::2].sum()))
        middle = np.mean(ranked[count // 4 : count - count // 4], axis=0)
        places = [s.place for s in self.text.statements]
        spent = middle[places] * 1e-9 - middle[[p + 1 for p in places]] * self._seconds_of_reading()
        seconds = np.maximum(spent, 0.0) / self.work.steps
        return dict(zip(places, seconds.tolist(), strict=True))

    def _seconds_of_reading(self) -> float:
        """What one reading adds to the statement before it: the least of several tries."""
        found = []
        for _ in range(5):
            self._read(self.ticks, 1)
            self.ticks[self.text.rest] = 0
            self._read(self.ticks, _READINGS)
            found.append(float(self.ticks[self.text.rest]) * 1e-9 / _READINGS)
        return min(found)


def parts_of(
    statements: Sequence[TimedStatement],
    seconds: Mapping[int, float],
    costs: Mapping[str, Sequence[Cost]],
    update: Cost | None,
) -> tuple[Part, ...]:
    """The statements that are run, those of the same purpose together, the slowest first."""
    parts: dict[tuple[tuple[str, ...], int], Part] = {}
    for statement, cost in _with_costs(statements, costs, update):
        what = statement.equations or (_WHAT.get(statement.calls, statement.calls or "numbers of the step"),)
        part = Part(what, seconds[statement.place], cost, statement.times, statement.is_product)
        key = what, statement.place if statement.equations else 0
        same = parts.get(key)
        parts[key] = part if same is None else replace(same, seconds=same.seconds + part.seconds)
    ran = [part for part in parts.values() if part.seconds or part.cost]
    return tuple(sorted(ran, key=lambda part: -part.seconds))


def _with_costs(
    statements: Sequence[TimedStatement], costs: Mapping[str, Sequence[Cost]], update: Cost | None
) -> Iterator[tuple[TimedStatement, Cost | None]]:
    """Statements and steps stand in the same order; where their numbers differ, nothing is claimed."""
    for function in dict.fromkeys(s.function for s in statements):
        own = [s for s in statements if s.function == function]
        steps = list(costs.get(_PHASES.get(function, ""), ()))
        layers = list(_in_order(own))
        known = len(layers) == len(steps)
        for statement in own:
            if known:
                yield (
                    statement,
                    reduce(add, (c for s, c in zip(layers, steps, strict=True) if s is statement)),
                )
            else:
                yield statement, update if statement.calls in _UPDATES else None


def _in_order(statements: Sequence[TimedStatement]) -> Iterator[TimedStatement]:
    """Every statement as often as it is run: those of one loop in turn."""
    place = 0
    while place < len(statements):
        first = statements[place]
        end = place + 1
        while first.loop and end < len(statements) and statements[end].loop == first.loop:
            end += 1
        for _ in range(first.times):
            yield from statements[place:end]
        place = end
