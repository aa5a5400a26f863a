"""The epochs: each is one call of the module's compiled `train_epoch`, then measured and kept.

The loop knows a module only by its stable names; it works for every module symgrad emits and for a
hand-written one that has them.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DivergenceError
from symgrad.training.epochs.chosen_hyper import first_state
from symgrad.training.epochs.divergence import Trace, bad_step, first_of_all, traced
from symgrad.training.epochs.norms_of_gradients import gradient_norms
from symgrad.training.epochs.stopping import StopReason, Watch, stop_reason
from symgrad.training.records.history import EpochRecord
from symgrad.training.scores.metrics import score

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.spec.model import TrainSpec
    from symgrad.training.dataset.data import Dataset
    from symgrad.training.split import Parts

SHUFFLE_STREAM, SAMPLE_STREAM = 2, 3
SCORED_ROWS = 10_000
DIVERGED_REMEDY = (
    "lower the learning rate, set clip_norm, or bring numbers nearer to 1: inputs by `standardize: true`, "
    "targets in the data"
)


@dataclass(frozen=True)
class Snapshot:
    """Copies of the parameters, as one vector, and of the optimiser state after `epoch` epochs."""

    epoch: int
    theta: NDArray[Any]
    state: Any

    def restored(self, module: ModuleType) -> tuple[Any, Any]:
        """Parameters and state that may be trained on without changing the snapshot."""
        return module.unflatten(np.copy(self.theta)), _copied(self.state)


@dataclass(frozen=True)
class Reached:
    """How far training has come: all that it goes on from, and nothing that does not follow from it.

    `records` are those of all epochs up to the last; `seconds` is how long training took.
    """

    last: Snapshot
    best: Snapshot
    records: tuple[EpochRecord, ...] = ()
    seconds: float = 0.0


def beginning(module: ModuleType, params: Any, hyper: Mapping[str, float]) -> Reached:
    """Before the first epoch, at some parameters."""
    first = Snapshot(0, np.copy(module.flatten(params)), first_state(module, params, hyper))
    return Reached(first, first)


@dataclass(frozen=True)
class TrainingOutcome:
    """What a run of epochs left: the last good epoch, the best one, and why it ended.

    `defect` is set when it diverged.
    """

    records: tuple[EpochRecord, ...]
    last: Snapshot
    best: Snapshot
    reason: StopReason
    defect: DivergenceError | None


@dataclass(frozen=True)
class Standing:
    """Where a run stands after a whole epoch; it is replaced as one."""

    last: Snapshot
    best: Snapshot
    lowest: float
    watch: Watch


class Trainer:
    """One run of a module on prepared data, as `plan` says, from what was `reached`, on as if never stopped.

    The same seed gives the same bits.
    """

    def __init__(
        self,
        module: ModuleType,
        plan: TrainSpec,
        parts: Parts,
        reached: Reached,
        hyper: Mapping[str, float] | None = None,
        trace: Trace | None = None,
    ) -> None:
        rows = parts.training.rows
        self.module, self.plan, self.parts, self.hyper = module, plan, parts, hyper or {}
        self.trace = trace
        self.batch_size = rows if plan.batch_size == "full" else min(plan.batch_size, rows)
        self.sample = scored_sample(parts.training, plan.seed)
        self.params, self.state = reached.last.restored(module)
        self.records = list(reached.records)
        self.start = time.perf_counter() - reached.seconds
        watch, lowest = Watch(), math.inf
        for record in reached.records:
            watch, lowest = self._watched(watch, record), min(lowest, record.objective)
        self.standing = Standing(reached.last, reached.best, lowest, watch)

    @property
    def reached(self) -> Reached:
        """What training could go on from now."""
        standing = self.standing
        seconds = time.perf_counter() - self.start
        return Reached(standing.last, standing.best, tuple(self.records[: standing.last.epoch]), seconds)

    @property
    def steps_per_epoch(self) -> int:
        """The number of mini-batches, the last short one included."""
        return -(-self.parts.training.rows // self.batch_size)

    def run(self, report: Callable[[EpochRecord], object]) -> TrainingOutcome:
        """Train until the plan, the clock, Ctrl-C or a number that is not finite says stop.

        `report` is called after every good epoch; where its answer is true, training stops.
        """
        reason, defect = self._reason(), None
        try:
            while reason is None and self.standing.last.epoch < self.plan.epochs:
                record = self._epoch(self.standing.last.epoch + 1)
                self._keep(record)
                reason = "callback" if report(record) else self._reason()
        except KeyboardInterrupt:
            reason = "interrupted"
        except DivergenceError as error:
            reason, defect = "diverged", error
        reached = self.reached
        return TrainingOutcome(reached.records, reached.last, reached.best, reason or "epochs", defect)

    def _reason(self) -> StopReason | None:
        return stop_reason(self.plan.stop, self.standing.watch, time.perf_counter() - self.start)

    def _epoch(self, epoch: int) -> EpochRecord:
        """Train one epoch and measure both parts. Raises DivergenceError."""
        module, training, validation = self.module, self.parts.training, self.parts.validation
        order = self._order(epoch)
        start = time.perf_counter()
        loss = module.train_epoch(
            *(self.params, self.state, *training.arrays),
            batch_size=self.batch_size,
            order=order,
            **self._setting(epoch),
        )
        seconds = time.perf_counter() - start
        if not (np.isfinite(loss) and self._is_finite(self.params)):
            raise self._divergence(epoch, self._first_bad_step(epoch, order, float(loss)))
        held_out = float(module.loss(self.params, *validation.arrays)) if validation else None
        if validation and held_out is not None and not np.isfinite(held_out):
            first = first_of_all(traced(module, self.params, validation, self.trace))
            raise self._divergence(epoch, f"the validation loss became {held_out}{first}")
        return EpochRecord(
            epoch=epoch,
            loss=float(loss),
            score=score(module, self.params, self.sample),
            validation_loss=held_out,
            validation_score=score(module, self.params, validation) if validation else None,
            seconds=seconds,
            gradient_norms=self._gradient_norms(order),
        )

    def _gradient_norms(self, order: NDArray[np.int64] | None) -> tuple[tuple[str, float], ...]:
        """At the end of an epoch, those of the gradient of its first batch, where the plan asks for them."""
        if self.plan.monitor is None:
            return ()
        rows = np.arange(self.parts.training.rows) if order is None else order
        batch = self.parts.training.take(rows[: self.batch_size])
        return gradient_norms(self.module, self.params, batch)

    def _setting(self, epoch: int) -> dict[str, Any]:
        """What a schedule may look at: this epoch, from 0, and how many are planned, if the module asks.

        Besides, the hyper-parameters that are not the module's own.
        """
        planned = {"epochs": self.plan.epochs} if self.module.EPOCHS else {}
        return {"epoch": epoch - 1, **planned, **({"hyper": dict(self.hyper)} if self.hyper else {})}

    def _keep(self, record: EpochRecord) -> None:
        """Remember a good epoch, and whether it is the best; where Ctrl-C comes between, not at all."""
        before, now = self.standing, self._snapshot(record.epoch)
        best, lowest = before.best, before.lowest
        if record.objective < lowest:
            best, lowest = now, record.objective
        self.records[before.last.epoch :] = [record]
        self.standing = Standing(now, best, lowest, self._watched(before.watch, record))

    def _watched(self, watch: Watch, record: EpochRecord) -> Watch:
        return watch.after(record.loss, record.objective, self.plan.stop.tolerance or 0.0)

    def _order(self, epoch: int) -> NDArray[np.int64] | None:
        """The order of the rows in this epoch; None, as they stand, when one batch holds them all."""
        rows = self.parts.training.rows
        if self.plan.shuffle == "never" or self.batch_size == rows:
            return None
        stream = epoch if self.plan.shuffle == "each_epoch" else 0
        generator = np.random.default_rng([self.plan.seed, SHUFFLE_STREAM, stream])
        return generator.permutation(rows).astype(np.int64)

    def _first_bad_step(self, epoch: int, order: NDArray[np.int64] | None, loss: float) -> str:
        """Run the epoch again, batch after batch, from the last good parameters: which step broke?"""
        rows, size = np.arange(self.parts.training.rows) if order is None else order, self.batch_size
        batches = (self.parts.training.take(rows[n : n + size]) for n in range(0, len(rows), size))
        at, setting = self.standing.last.restored(self.module), self._setting(epoch)
        found = bad_step(self.module, at, batches, setting, self.trace)
        if found is None:
            return (
                f"the loss became {loss}" if not np.isfinite(loss) else "a parameter is not a finite number"
            )
        batch, problem, first = found
        step = (epoch - 1) * self.steps_per_epoch + batch + 1
        where = f"in batch {batch + 1} of {self.steps_per_epoch} (step {step})"
        return f"{problem} {where}{first_of_all(first)}"

    def _divergence(self, epoch: int, problem: str) -> DivergenceError:
        at = f"{self.module.SPEC_NAME}, epoch {epoch}"
        return DivergenceError(problem, at=at, remedy=DIVERGED_REMEDY)

    def _is_finite(self, params: Any) -> bool:
        return bool(np.isfinite(self.module.flatten(params)).all())

    def _snapshot(self, epoch: int) -> Snapshot:
        return Snapshot(epoch, np.copy(self.module.flatten(self.params)), _copied(self.state))


def _copied(state: Any) -> Any:
    return type(state)(*(np.copy(values) for values in state))


def scored_sample(training: Dataset, seed: int) -> Dataset:
    """The rows the training score is measured on; drawn at random, as files may be sorted by class."""
    if training.rows <= SCORED_ROWS:
        return training
    rows = np.random.default_rng([seed, SAMPLE_STREAM]).choice(training.rows, SCORED_ROWS, replace=False)
    return training.take(np.sort(rows))
