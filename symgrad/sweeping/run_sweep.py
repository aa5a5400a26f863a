"""The loop of a sweep: trials begin as workers are free, and are written down as they end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.errors import SpecError
from symgrad.sweeping.best_run import SCRATCH, best_of, is_before, keep_best, kept_best
from symgrad.sweeping.sweep_journal import append_row
from symgrad.sweeping.varied.structures import Structures
from symgrad.sweeping.working.sweep_trial import TrialOrder, TrialOutcome, TrialRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from symgrad.sweeping.sampling.samplers import Sampler
    from symgrad.sweeping.sweep_plan import SweepPlan
    from symgrad.sweeping.varied.sweep_axes import Values
    from symgrad.sweeping.working.workers import Workers


class SweepLoop:
    """Makes the trials of a plan that are not `made` yet. Those that ended `before` and are to be made again
    have the values that they had."""

    def __init__(
        self,
        plan: SweepPlan,
        folder: Path,
        sampler: Sampler,
        before: Mapping[int, TrialRow],
        made: Mapping[int, TrialRow],
        told: Callable[[TrialRow], None],
        *,
        at_node: bool,
    ) -> None:
        self.plan, self.folder, self.sampler, self.told, self.at_node = plan, folder, sampler, told, at_node
        self.structures = Structures(plan.spec, plan.axes)
        self.rows = dict(made)
        self.best = best_of(self.rows.values(), plan.metric)
        self._again = {number: row.values for number, row in before.items() if number not in made}
        self._values: dict[int, Values] = {}
        for row in sorted(before.values(), key=lambda row: row.number):
            if row.state != "lost":
                sampler.learn(row)

    def run(self, workers: Workers) -> None:
        """Make them all. Raises DataError where they cannot be written down."""
        orders = self._orders()
        is_over = False
        while True:
            while not is_over and workers.free > 0:
                order = next(orders, None)
                is_over = order is None
                if order is not None:
                    workers.begin(order)
            if is_over and not workers.at_work:
                return
            for order, outcome, attempts in workers.ended():
                self._record(order.number, outcome, attempts)

    def _orders(self) -> Iterator[TrialOrder]:
        """What workers are told, one trial after the other. What no spec can have is recorded at once."""
        for number in range(self.plan.trials):
            if number in self.rows:
                continue
            self._values[number] = self._again.get(number) or self.sampler.values(number)
            try:
                trained = self.structures.of(self._values[number])
            except SpecError as error:
                self._record(number, TrialOutcome("refused", reason=str(error)), 0)
                continue
            yield TrialOrder(
                number=number,
                trained=trained,
                metric=self.plan.metric,
                data=self.plan.data,
                threads=self.plan.threads,
                to_beat=None if self.best is None else self.best.value,
                scratch=None if self.at_node else self.folder.absolute() / SCRATCH,
            )

    def _record(self, number: int, outcome: TrialOutcome, attempts: int) -> None:
        """The run is kept before the trial is written down: a trial in the journal is never lost."""
        metric = self.plan.metric
        row = TrialRow(
            number=number,
            values=self._values.pop(number),
            state=outcome.state,
            value=outcome.numbers.get(metric.name) if outcome.state == "finished" else None,
            numbers=outcome.numbers,
            reason=outcome.reason,
            seconds=outcome.seconds,
            attempts=attempts,
            worker=outcome.worker,
        )
        if outcome.state == "finished" and row.value is None:
            row = replace(row, reason=f"{metric.name} is no finite number")
        if outcome.files is not None and is_before(row, self.best, metric):
            keep_best(self.folder, row, outcome.files)
            self.best = row
        append_row(self.folder, row)
        self.rows[number] = row
        self.sampler.learn(row)
        self.told(row)


def trials_made(plan: SweepPlan, folder: Path, rows: Mapping[int, TrialRow]) -> dict[int, TrialRow]:
    """The trials of a sweep that need not be made again: all that ended, but those that were lost with their
    processes, and the best where its run is not there."""
    made = {number: row for number, row in rows.items() if row.state != "lost" and number < plan.trials}
    best = best_of(made.values(), plan.metric)
    if best is not None and kept_best(folder) != best.number:
        del made[best.number]
    return made
