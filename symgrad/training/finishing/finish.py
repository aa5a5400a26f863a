"""The iterations that end a training: each is measured, told and kept as an epoch is."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import CallbackError, DivergenceError
from symgrad.training.epochs.loop import Made
from symgrad.training.epochs.snapshots import Snapshot, Standing, TrainingOutcome, copied_state
from symgrad.training.epochs.stopping import StopReason, Watch, keeps_best, stop_reason
from symgrad.training.epochs.training_callbacks import Answer, StepRecord
from symgrad.training.finishing.objective import Objective, Vector

if TYPE_CHECKING:
    from collections.abc import Callable

    from symgrad.spec.model import FinishSpec
    from symgrad.training.epochs.loop import Trainer
    from symgrad.training.records.history import EpochRecord

BEGINS_AFTER: tuple[StopReason, ...] = ("epochs", "converged", "no progress")
"""What may have ended the epochs for anything to come after them."""
DIVERGED_REMEDY = "begin nearer to a minimum: more epochs before, or smaller first values"


class _EndedError(Exception):
    """Something else than the method ended the iterations."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason)
        self.reason: StopReason = reason


def finished(
    trainer: Trainer, outcome: TrainingOutcome, report: Callable[[EpochRecord], object]
) -> TrainingOutcome:
    """What is left when the iterations that the plan asks for have been made after the epochs.

    They begin where training would have ended: at the last epoch, or at the best where the plan keeps that.
    Nothing of them is kept to go on from: a run that is stopped in them makes them anew, to the same bits.
    """
    finish = trainer.plan.finish
    if finish is None:
        return outcome
    if outcome.defect is not None or outcome.reason not in BEGINS_AFTER:
        return replace(outcome, finish=f"{finish.name} was not begun")
    return Finishing(trainer, outcome, finish, report).run()


class Finishing:
    """One run of iterations."""

    def __init__(
        self,
        trainer: Trainer,
        outcome: TrainingOutcome,
        finish: FinishSpec,
        report: Callable[[EpochRecord], object],
    ) -> None:
        self.trainer, self.finish, self.report = trainer, finish, report
        kept = outcome.best if keeps_best(trainer.plan.stop) and outcome.records else outcome.last
        self.before = outcome
        self.records = list(outcome.records)
        self.state = kept.state
        lowest = min((record.objective for record in outcome.records), default=np.inf)
        self.standing = Standing(kept, outcome.best, lowest, Watch(), outcome.changes, True)
        self.objective = Objective(trainer.module, trainer.parts.training, kept.theta)
        self.answer = Answer()
        self.begun = time.perf_counter()

    @property
    def iterations(self) -> int:
        """How many were made."""
        return len(self.records) - len(self.before.records)

    def run(self) -> TrainingOutcome:
        """Make them all, until they converge or something says stop."""
        from symgrad.training.finishing.methods import METHODS  # and SciPy's with it

        method, said = METHODS[self.finish.name], ""
        reason: StopReason
        defect: DivergenceError | CallbackError | None = None
        try:
            self._demand_finite()
            ending = method(self.objective, dict(self.finish.settings), self._told)
            reason = "converged" if ending.is_converged else "epochs" if ending.is_limit else "no progress"
            said = f": {' '.join(ending.said.split())}"
        except _EndedError as ended:
            reason = ended.reason
        except KeyboardInterrupt:
            reason = "interrupted"
        except DivergenceError as error:
            reason, defect = "diverged", error
        except CallbackError as error:
            reason, defect = "callback failed", error
        last, best = self.standing.last, self.standing.best
        made = f"{self.finish.name} took {self.iterations} steps, {self.objective.calls} gradients{said}"
        if reason == "no progress" and self.objective.theta.dtype == np.float32:
            made += "; float32 tells no smaller changes of the loss apart: write dtype: float64"
        if reason == "interrupted":
            made += "; going on makes them anew"
        outcome = (tuple(self.records), self.before.changes, last, best, reason, defect, self.answer.said)
        return TrainingOutcome(*outcome, finish=made)

    def _demand_finite(self) -> None:
        loss, _ = self.objective.loss_and_gradient(self.objective.start)
        self.objective.calls = 0
        if not np.isfinite(loss):
            at = f"{self.trainer.module.SPEC_NAME}, before {self.finish.name}"
            problem = "the loss or its gradient on all rows is not finite"
            raise DivergenceError(problem, at=at, remedy=DIVERGED_REMEDY)

    def _told(self, x: Vector, loss: float) -> None:
        """Measure and keep an iterate; then ask whether to go on. Raises _EndedError and CallbackError."""
        trainer, theta = self.trainer, self.objective.vector(x)
        first = self.before.last.epoch
        epoch = first + self.iterations + 1
        step = first * trainer.steps.per_epoch + self.iterations + 1
        seconds = time.perf_counter() - self.begun
        trainer.params = trainer.module.unflatten(np.copy(theta))
        made = Made(loss, seconds, step, trainer.others, trainer.numbers)
        number = self.iterations + 1
        record = replace(trainer.measured(epoch, made, trainer.params), learning_rate=None, iteration=number)
        now, before = Snapshot(epoch, theta, copied_state(self.state)), self.standing
        watch = before.watch.after(record.loss, record.objective, trainer.plan.stop.tolerance or 0.0)
        is_best = record.objective < before.lowest
        best, lowest = (now, record.objective) if is_best else (before.best, before.lowest)
        self.records.append(record)
        self.standing = replace(before, last=now, best=best, lowest=lowest, watch=watch)
        self.report(record)
        self._ask(record, now)
        self.begun = time.perf_counter()

    def _ask(self, record: EpochRecord, now: Snapshot) -> None:
        """Ask callbacks and the plan. Raises _EndedError and CallbackError."""
        trainer, step = self.trainer, record.step or 0
        callbacks = trainer.callbacks
        if callbacks.every and step % callbacks.every == 0:
            told = StepRecord(record.epoch, step, record.loss, None, record.hyper)
            self._heed(callbacks.step_ended(told, self._params(now)), record)
        self._heed(callbacks.epoch_ended(record, self._params(now)), record)
        reason = stop_reason(trainer.plan.stop, self.standing.watch, time.perf_counter() - trainer.start)
        if reason is not None:
            raise _EndedError(reason)

    def _params(self, now: Snapshot) -> Any:
        return now.restored(self.trainer.module)[0]

    def _heed(self, answer: Answer, record: EpochRecord) -> None:
        self.answer = answer
        if answer.hyper:
            at = f"{self.trainer.module.SPEC_NAME}, iteration {record.epoch} by {self.finish.name}"
            problem = f"a callback changed {', '.join(answer.hyper)}, which no iteration reads"
            remedy = f"answer None or True after the {self.before.last.epoch} epochs"
            raise CallbackError(problem, at=at, remedy=remedy)
        if answer.stops:
            raise _EndedError("callback")
