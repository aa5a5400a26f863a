"""The steps of an epoch: over which rows, in which order, with which numbers; which of them broke.

They know a module only by its stable names; they work for every module symgrad emits and for a hand-written
one that has them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DivergenceError
from symgrad.ranks.group_of_ranks import ALONE, OneOfOne, RankGroup
from symgrad.training.epochs.divergence import Trace, bad_step, first_of_all
from symgrad.training.epochs.mean_losses import MeanLoss
from symgrad.training.epochs.set_batches import SetBatches, set_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.spec.model import TrainSpec
    from symgrad.training.dataset.data import Dataset
    from symgrad.training.epochs.running_hyper import RunningHyper
    from symgrad.training.epochs.snapshots import Snapshot
    from symgrad.training.records.history import HyperChange

SHUFFLE_STREAM = 2
DIVERGED_REMEDY = (
    "lower the learning rate, set clip_norm, or bring numbers nearer to 1: inputs by `standardize: true`, "
    "targets in the data"
)


@dataclass(frozen=True)
class EpochSteps:
    """The steps of all epochs of a module on its training rows, as `plan` says; `resampled` gives those of an
    epoch, where each has others, as many and in the same sets.

    `every` is after how many steps somebody wants to look; None: only after epochs. `trace` finds the first
    tensor that is not finite, where a loss is not. The `ranks` share every batch.
    """

    module: ModuleType
    plan: TrainSpec
    training: Dataset
    hyper: RunningHyper
    every: int | None = None
    trace: Trace | None = None
    resampled: Callable[[int], Dataset] | None = None
    ranks: RankGroup = ALONE

    def data(self, epoch: int) -> Dataset:
        """The training rows of an epoch."""
        return self.training if self.resampled is None else self.resampled(epoch)

    @cached_property
    def batch_size(self) -> int:
        """The rows of a step."""
        rows, size = self.training.rows, self.plan.batch_size
        return rows if size == "full" else min(size, rows)

    @cached_property
    def per_epoch(self) -> int:
        """The number of mini-batches, the last short one included."""
        return -(-self.training.rows // self.batch_size)

    def pieces(self, epoch: int) -> Iterator[tuple[int, int]]:
        """The first and the last step of every piece of an epoch, counted from 1 over all epochs."""
        first, end = (epoch - 1) * self.per_epoch + 1, epoch * self.per_epoch
        every = self.every or end
        while first <= end:
            last = min(end, -(-first // every) * every)
            yield first, last
            first = last + 1

    def order(self, epoch: int) -> NDArray[np.int64] | None:
        """The order of the rows in this epoch; None, as they stand, when one batch holds them all."""
        rows = self.training.rows
        if self.plan.shuffle == "never" or self.batch_size == rows:
            return None
        stream = epoch if self.plan.shuffle == "each_epoch" else 0
        generator = np.random.default_rng([self.plan.seed, SHUFFLE_STREAM, stream])
        return generator.permutation(rows).astype(np.int64)

    def rows(self, epoch: int, first: int, last: int) -> slice:
        """Which rows of the epoch's order these steps take."""
        before = (epoch - 1) * self.per_epoch
        return slice((first - 1 - before) * self.batch_size, (last - before) * self.batch_size)

    @cached_property
    def other_sets(self) -> dict[str, SetBatches]:
        """The batches of sets of points beside the first; those that are not here are whole in every step."""
        sizes, plan = dict(self.plan.set_batches), self.plan
        return set_batches(sizes, self.training.rows_of, plan.seed, plan.shuffle)

    def batch(self, rows: NDArray[Any], step: int) -> Dataset:
        """The data of a step: these rows of the first set of points, of others those whose turn it is."""
        found = self.data(-(-step // self.per_epoch)).take(rows)
        for name, batches in self.other_sets.items():
            found = found.take(batches.of_step(step), name)
        return found

    def train(
        self,
        params: Any,
        state: Any,
        order: NDArray[np.int64] | None,
        epoch: int,
        steps: tuple[int, int],
        others: dict[str, float],
    ) -> MeanLoss:
        """Make steps in place; their mean loss over the rows that they took."""
        if self.other_sets:
            return self._train_by_steps(params, state, order, epoch, steps, others)
        rows = self.training.rows
        if steps[1] - steps[0] + 1 < self.per_epoch:
            chosen = self.rows(epoch, *steps)
            order = (np.arange(rows) if order is None else order)[chosen]
            rows = len(order)
        loss = self.module.train_epoch(
            *(params, state, *self.data(epoch).arrays),
            batch_size=self.batch_size,
            order=order,
            **self._setting(epoch, others),
            **self.ranks.shared,
        )
        return MeanLoss(float(loss), rows)

    def _train_by_steps(
        self,
        params: Any,
        state: Any,
        order: NDArray[np.int64] | None,
        epoch: int,
        steps: tuple[int, int],
        others: dict[str, float],
    ) -> MeanLoss:
        """The same where every step has rows of its own of several sets of points."""
        every, setting = (
            np.arange(self.training.rows) if order is None else order,
            {**self._setting(epoch, others), **self.ranks.shared},
        )
        mean = MeanLoss()
        for step in range(steps[0], steps[1] + 1):
            batch = self.batch(every[self.rows(epoch, step, step)], step)
            loss = float(
                self.module.train_epoch(params, state, *batch.arrays, batch_size=batch.rows, **setting)
            )
            mean = mean.joined(MeanLoss(loss, batch.rows))
            if not np.isfinite(loss):
                break
        return mean

    def compile(self, params: Any, state: Any) -> None:
        """Make a first step that nobody keeps, as each rank will: what it runs is compiled then."""
        order = self.order(1)
        rows = np.arange(self.batch_size) if order is None else order[: self.batch_size]
        alone = replace(self, ranks=RankGroup(OneOfOne()))
        batch, setting = self.batch(rows, 1), {**self._setting(1, {}), **alone.ranks.shared}
        self.module.train_epoch(params, state, *batch.arrays, batch_size=batch.rows, **setting)

    def _setting(self, epoch: int, others: dict[str, float]) -> dict[str, Any]:
        """What a schedule may look at: this epoch, from 0, and how many are planned, if the module asks.

        Besides, the hyper-parameters that are not the module's own.
        """
        planned = {"epochs": self.plan.epochs} if self.module.EPOCHS else {}
        return {"epoch": epoch - 1, **planned, **({"hyper": others} if others else {})}

    def broken(self, last: Snapshot, changes: Sequence[HyperChange], loss: float) -> DivergenceError:
        """Run an epoch again, batch after batch, from the last good parameters: which step broke?"""
        epoch = last.epoch + 1
        before = last.epoch * self.per_epoch
        found = bad_step(self.module, last.restored(self.module), self._batches(epoch, changes), self.trace)
        if found is None:
            what = "a parameter is not a finite number" if np.isfinite(loss) else f"the loss became {loss}"
            return self.divergence(epoch, what)
        batch, problem, first = found
        where = f"in batch {batch + 1} of {self.per_epoch} (step {before + batch + 1})"
        return self.divergence(epoch, f"{problem} {where}{first_of_all(first)}")

    def _batches(
        self, epoch: int, changes: Sequence[HyperChange]
    ) -> Iterator[tuple[Dataset, Mapping[str, Any]]]:
        """The batches of an epoch with the setting of each."""
        order, before = self.order(epoch), (epoch - 1) * self.per_epoch
        rows = np.arange(self.training.rows) if order is None else order
        for step in range(before + 1, before + self.per_epoch + 1):
            setting = self._setting(epoch, self.hyper.others(changes, step - 1))
            yield self.batch(rows[self.rows(epoch, step, step)], step), setting

    def divergence(self, epoch: int, problem: str) -> DivergenceError:
        """That an epoch ended in what is no number."""
        return DivergenceError(problem, at=f"{self.module.SPEC_NAME}, epoch {epoch}", remedy=DIVERGED_REMEDY)

    def is_finite(self, params: Any) -> bool:
        """Whether all parameters are numbers still."""
        return bool(np.isfinite(self.module.flatten(params)).all())
