"""The epochs: each is made, measured, shown to callbacks and kept, until something says stop."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import CallbackError, DivergenceError
from symgrad.training.epochs.divergence import first_of_all, traced
from symgrad.training.epochs.divided_states import DividedStates
from symgrad.training.epochs.mean_losses import MeanLoss
from symgrad.training.epochs.norms_of_gradients import gradient_norms
from symgrad.training.epochs.snapshots import (
    Reached,
    Snapshot,
    Standing,
    TrainingOutcome,
    averaged,
    copied_state,
)
from symgrad.training.epochs.stopping import StopReason, Watch, stop_reason
from symgrad.training.epochs.training_callbacks import Answer, Callbacks, StepRecord
from symgrad.training.records.history import EpochRecord, HyperChange
from symgrad.training.scores.held_out_scores import held_out_scores
from symgrad.training.scores.in_pieces import loss_of
from symgrad.training.scores.metrics import score

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.training.dataset.data import Dataset
    from symgrad.training.epochs.epoch_steps import EpochSteps
    from symgrad.training.split import Parts

SAMPLE_STREAM = 3
SCORED_ROWS = 10_000


@dataclass(frozen=True)
class Made:
    """What was trained of an epoch: all of it, unless a callback ended it; `loss` is the mean per row.

    `others` and `hyper` are the numbers of its last step.
    """

    loss: float
    seconds: float
    step: int
    others: dict[str, float]
    hyper: dict[str, float]


class Trainer:
    """One run of a module on prepared data from what was `reached`, on as if never stopped.

    The same seed gives the same bits.
    """

    def __init__(
        self,
        steps: EpochSteps,
        parts: Parts,
        reached: Reached,
        callbacks: Callbacks,
    ) -> None:
        self.steps, self.module, self.plan, self.ranks = steps, steps.module, steps.plan, steps.ranks
        self.parts, self.callbacks = parts, callbacks
        self.sample = scored_sample(parts.training, self.plan.seed)
        is_divided = self.plan.shard == "optimizer" and self.ranks.count > 1
        self.states = DividedStates(self.module, self.ranks, is_divided)
        reached = self.states.own(reached)
        self.params, self.state = reached.last.restored(self.module)
        self.scores = held_out_scores(self.module, self.plan, parts.validation, self.params)
        self.records = list(reached.records)
        self.start = time.perf_counter() - reached.seconds
        watch, lowest = Watch(), math.inf
        for record in reached.records:
            watch, lowest = self._watched(watch, record), min(lowest, record.objective)
        found = (watch, reached.changes, reached.is_answered)
        self.standing = Standing(reached.last, reached.best, lowest, *found)
        self.answer = Answer()
        self._change_to(reached.changes, reached.last.epoch * steps.per_epoch)

    @property
    def good_records(self) -> tuple[EpochRecord, ...]:
        """Those of all epochs up to the last one that training could go on from."""
        return tuple(self.records[: self.standing.last.epoch])

    @property
    def reached(self) -> Reached:
        """What training could go on from now, with the whole states; all ranks ask for it."""
        now = self.standing
        last, best = self.states.whole(now.last), self.states.whole(now.best)
        seconds = time.perf_counter() - self.start
        return Reached(last, best, self.good_records, now.changes, now.is_answered, seconds)

    def run(self, report: Callable[[EpochRecord], object], keep: Callable[[int], object]) -> TrainingOutcome:
        """Train until the plan, the clock, a callback, Ctrl-C or a number that is not finite says stop.

        `report` is called after every good epoch, and `keep` when callbacks have answered to it.
        """
        reason: StopReason | None = None
        defect: DivergenceError | CallbackError | None = None
        try:
            reason = self._reason() if self.standing.is_answered else self._answered(self.records[-1])
            while reason is None and self.standing.last.epoch < self.plan.epochs:
                record = self._epoch(self.standing.last.epoch + 1)
                if record.step != record.epoch * self.steps.per_epoch:
                    report(record)
                    return self._outcome(self._after(record), (*self.good_records, record), "callback")
                self._keep(record)
                report(record)
                reason = "callback" if self.answer.stops else self._answered(record)
                keep(record.epoch)
        except KeyboardInterrupt:
            reason = "interrupted"
        except DivergenceError as error:
            reason, defect = "diverged", error
        except CallbackError as error:
            reason, defect = "callback failed", error
        return self._outcome(self.standing, self.good_records, reason or "epochs", defect)

    def _outcome(
        self,
        standing: Standing,
        records: tuple[EpochRecord, ...],
        reason: StopReason,
        defect: DivergenceError | CallbackError | None = None,
    ) -> TrainingOutcome:
        last, best = self.states.whole(standing.last), self.states.whole(standing.best)
        changes = standing.changes
        return TrainingOutcome(records, changes, last, best, reason, defect, self.answer.said)

    def _reason(self) -> StopReason | None:
        """Why training ends here, as the first rank sees it."""
        return self.ranks.agreed(self._reason_here)

    def _reason_here(self) -> StopReason | None:
        if self.ranks.stop.is_set():
            return "interrupted"
        return stop_reason(self.plan.stop, self.standing.watch, time.perf_counter() - self.start)

    def _answered(self, record: EpochRecord) -> StopReason | None:
        """Ask the callback of epochs; why training ends here, if it does. Raises CallbackError."""
        if self.callbacks.after_epoch is not None:
            snapshot = self._to_show(self.standing.last)
            answer = self.ranks.agreed(lambda: self._answer_to_epoch(record, snapshot))
            self._heed(answer, record.epoch * self.steps.per_epoch)
        self.standing = replace(self.standing, changes=self.changes, is_answered=True)
        return "callback" if self.answer.stops else self._reason()

    def _answer_to_epoch(self, record: EpochRecord, snapshot: Snapshot) -> Answer:
        params, average = self._shown(snapshot)
        return self.callbacks.epoch_ended(replace(record, averaged=average), params)

    def _heed(self, answer: Answer, step: int) -> None:
        """Do what a callback wants after this step."""
        self.answer = answer
        if answer.hyper:
            self._change_to((*self.changes, HyperChange(step, answer.hyper)), step)

    def _change_to(self, changes: tuple[HyperChange, ...], step: int) -> None:
        self.changes = changes
        self.others = self.steps.hyper.others(changes, step)
        self.numbers = {**self.steps.hyper.own, **self.others}

    def _epoch(self, epoch: int) -> EpochRecord:
        """Train one epoch; the first rank measures both parts. Raises DivergenceError and CallbackError."""
        made = self._made(epoch)
        state = self.states.whole_state(self.state) if self._has_average else self.state
        fitted = averaged(self.module, self.params, state)
        return self.ranks.agreed(lambda: self.measured(epoch, made, fitted))

    @property
    def _has_average(self) -> bool:
        return hasattr(self.module, "averaged")

    def measured(self, epoch: int, made: Made, params: Any) -> EpochRecord:
        """The record of what was made, at the parameters to measure. Raises DivergenceError."""
        module, validation = self.module, self.parts.validation
        held_out = loss_of(module, params, validation.arrays) if validation else None
        if validation and held_out is not None and not math.isfinite(held_out):
            first = first_of_all(traced(module, params, validation, self.steps.trace))
            raise self.steps.divergence(epoch, f"the validation loss became {held_out}{first}")
        validation_score = score(module, params, validation) if validation else None
        metrics = self.scores.measured(params)
        return EpochRecord(
            epoch=epoch,
            loss=made.loss,
            score=score(module, params, self.sample),
            validation_loss=held_out,
            validation_score=validation_score,
            seconds=made.seconds,
            step=made.step,
            learning_rate=self.steps.hyper.learning_rate(made.others, epoch, made.step),
            hyper=made.hyper,
            gradient_norms=self._gradient_norms(epoch),
            metrics=metrics,
            watched=self.scores.watched(metrics, validation_score),
        )

    def _gradient_norms(self, epoch: int) -> tuple[tuple[str, float], ...]:
        """At the end of an epoch, those of the gradient of its first batch, where the plan asks for them."""
        if self.plan.monitor is None:
            return ()
        order = self.steps.order(epoch)
        rows = np.arange(self.parts.training.rows) if order is None else order
        batch = self.steps.batch(rows[: self.steps.batch_size], (epoch - 1) * self.steps.per_epoch + 1)
        return gradient_norms(self.module, self.params, batch)

    def _made(self, epoch: int) -> Made:
        """Make the steps of an epoch, and ask the callback of steps. Raises as above."""
        order = self.steps.order(epoch)
        mean, seconds, last = MeanLoss(), 0.0, 0
        others, hyper = self.others, self.numbers
        for first, last in self.steps.pieces(epoch):
            others, hyper = self.others, self.numbers
            start = time.perf_counter()
            made = self.steps.train(self.params, self.state, order, epoch, (first, last), others)
            seconds += time.perf_counter() - start
            if not (math.isfinite(made.loss) and self.steps.is_finite(self.params)):
                raise self._broken(made.loss)
            mean = mean.joined(made)
            self._tell(epoch, last, made.loss)
            if self.answer.stops:
                break
        return Made(mean.loss, seconds, last, others, hyper)

    def _broken(self, loss: float) -> DivergenceError:
        last = self.states.whole(self.standing.last)
        return self.ranks.agreed(lambda: self.steps.broken(last, self.changes, loss))

    def _tell(self, epoch: int, step: int, loss: float) -> None:
        """Tell the callback of steps, if it is its turn. Raises CallbackError."""
        if self.callbacks.after_steps is None or step % self.callbacks.after_steps[0]:
            return
        snapshot = self._to_show(self._snapshot(epoch))
        self._heed(self.ranks.agreed(lambda: self._answer_to_step(snapshot, step, loss)), step)

    def _answer_to_step(self, snapshot: Snapshot, step: int, loss: float) -> Answer:
        epoch = snapshot.epoch
        rate = self.steps.hyper.learning_rate(self.others, epoch, step)
        params, average = self._shown(snapshot)
        record = StepRecord(epoch, step, loss, rate, self.numbers, average)
        return self.callbacks.step_ended(record, params)

    def _to_show(self, snapshot: Snapshot) -> Snapshot:
        """The same with what a moving average is made of; all ranks ask for it."""
        return self.states.whole(snapshot) if self._has_average else snapshot

    def _shown(self, snapshot: Snapshot) -> tuple[Any, Any]:
        """Copies for a callback: the parameters, and their moving average where there is one."""
        params, state = snapshot.restored(self.module)
        return params, averaged(self.module, params, state) if self._has_average else None

    def _keep(self, record: EpochRecord) -> None:
        """Remember a good epoch; where Ctrl-C comes between, not at all."""
        standing = self._after(record)
        self.records[self.standing.last.epoch :] = [record]
        self.standing = standing

    def _after(self, record: EpochRecord) -> Standing:
        """Where the run stands after an epoch, which may be the best."""
        before, now = self.standing, self._snapshot(record.epoch)
        best, lowest = before.best, before.lowest
        if record.objective < lowest:
            best, lowest = now, record.objective
        return Standing(now, best, lowest, self._watched(before.watch, record), self.changes, False)

    def _watched(self, watch: Watch, record: EpochRecord) -> Watch:
        return watch.after(record.loss, record.objective, self.plan.stop.tolerance or 0.0)

    def _snapshot(self, epoch: int) -> Snapshot:
        return Snapshot(epoch, np.copy(self.module.flatten(self.params)), copied_state(self.state))


def scored_sample(training: Dataset, seed: int) -> Dataset:
    """The rows the training score is measured on; drawn at random, as files may be sorted by class."""
    if training.rows <= SCORED_ROWS:
        return training
    rows = np.random.default_rng([seed, SAMPLE_STREAM]).choice(training.rows, SCORED_ROWS, replace=False)
    return training.take(np.sort(rows))
