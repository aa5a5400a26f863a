"""The training loop: epochs of the compiled module, measured, stopped and kept in time.

The loop knows a module only by its stable names; it works for every module symgrad emits and for a
hand-written one that has them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DivergenceError, ModuleError, SpecError
from symgrad.training.history import EpochRecord, History
from symgrad.training.metrics import Metrics, accuracy, check_targets, evaluate
from symgrad.training.progress import silent
from symgrad.training.split import Parts, Standardization, prepare
from symgrad.training.stopping import StopReason, stop_reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.spec.model import Spec, TrainSpec
    from symgrad.training.data import Dataset

FACTS = ("SPEC_NAME", "SPEC_SHA256", "DTYPE", "TASK")
FUNCTIONS = ("init_params", "init_state", "train_epoch", "loss", "predict", "flatten", "unflatten")
SHUFFLE_STREAM, SAMPLE_STREAM = 2, 3
ACCURACY_ROWS = 10_000
DIVERGED_REMEDY = "lower the learning rate, set clip_norm, or standardize the inputs"


@dataclass(frozen=True)
class Run:
    """A finished training run.

    `params` are those of the best epoch where `stop: patience` is set, else the last ones, and the
    metrics are theirs. `seconds` counts everything, the module's compilation in the first epoch included.
    """

    params: Any
    history: History
    stop_reason: StopReason
    best_epoch: int
    seconds: float
    training: Metrics
    validation: Metrics | None
    test: Metrics | None
    standardization: Standardization


class TrainingDivergedError(DivergenceError):
    """A loss or parameter stopped being finite; `run` holds the last good parameters and the history."""

    def __init__(self, problem: str, *, at: str, run: Run) -> None:
        super().__init__(problem, at=at, remedy=DIVERGED_REMEDY)
        self.run = run


def train(
    module: ModuleType,
    spec: Spec,
    dataset: Dataset,
    *,
    validation: Dataset | None = None,
    test: Dataset | None = None,
    progress: Callable[[EpochRecord], None] = silent,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
) -> Run:
    """Train the module as the spec says; the same seed gives the same bits.

    `validation` replaces the spec's; `test` is only measured, at the end. `progress` is called after
    each epoch (see `console_progress`). Ctrl-C ends training early, with what there is. Raises
    DataError for data that do not fit, ModuleError for a module that is not this spec's, and
    TrainingDivergedError, which carries the run up to the last good epoch.
    """
    start = time.perf_counter()
    check_module(module, spec)
    settings = _settings(spec.train, epochs, batch_size, seed)
    parts = prepare(spec, dataset, settings.seed, validation)
    tested = parts.standardization.apply(test, spec.dtype) if test else None
    for part in (parts.training, parts.validation, tested):
        if part is not None:
            check_targets(module, part)
    session = _Session(module, settings, parts)
    reason = session.run(progress, start)
    run = session.finish(reason, tested, time.perf_counter() - start)
    if reason == "diverged":
        raise TrainingDivergedError(session.problem, at=f"{spec.name}, epoch {session.epoch}", run=run)
    return run


def check_module(module: ModuleType, spec: Spec) -> None:
    """Raise ModuleError unless the module has the stable names and was emitted from this spec."""
    missing = [name for name in (*FACTS, *FUNCTIONS) if not hasattr(module, name)]
    if missing:
        problem = f"the module lacks {', '.join(missing)}"
        raise ModuleError(problem, at=spec.name, remedy="generate it anew from the spec")
    if spec.sha256 != module.SPEC_SHA256:
        problem = f"the module was generated from another version of the spec ('{module.SPEC_NAME}')"
        raise ModuleError(problem, at=spec.name, remedy="generate it anew from the spec")


def _settings(
    train_spec: TrainSpec, epochs: int | None, batch_size: int | None, seed: int | None
) -> TrainSpec:
    """The spec's settings with what the caller overrides."""
    limits = {"epochs": (epochs, 1), "batch_size": (batch_size, 1), "seed": (seed, 0)}
    for name, (value, least) in limits.items():
        if value is not None and value < least:
            raise SpecError(f"{name} is {value}", remedy=f"it must be at least {least}")
    return replace(
        train_spec,
        epochs=train_spec.epochs if epochs is None else epochs,
        batch_size=train_spec.batch_size if batch_size is None else batch_size,
        seed=train_spec.seed if seed is None else seed,
    )


class _Session:
    """The moving parts of one run: parameters, optimiser state, and the epochs worth returning to."""

    def __init__(self, module: ModuleType, settings: TrainSpec, parts: Parts) -> None:
        self.module, self.settings, self.parts = module, settings, parts
        rows = parts.training.rows
        self.batch_size = rows if settings.batch_size == "full" else min(settings.batch_size, rows)
        self.shuffler = np.random.default_rng([settings.seed, SHUFFLE_STREAM])
        self.order = self._permutation() if settings.shuffle == "once" else None
        self.sample = _sample(parts.training, settings.seed)
        self.params = module.init_params(settings.seed)
        self.state = module.init_state(self.params)
        self.records: list[EpochRecord] = []
        self.last_good = self.best = self._theta()
        self.best_epoch, self.best_objective = 0, np.inf
        self.epoch, self.problem = 0, ""

    def run(self, progress: Callable[[EpochRecord], None], start: float) -> StopReason:
        """Epoch after epoch until something says stop."""
        try:
            while self.epoch < self.settings.epochs:
                self.epoch += 1
                record = self._next_epoch()
                self.problem = self._defect(record)
                if self.problem:
                    return "diverged"
                self._keep(record)
                progress(record)
                elapsed = time.perf_counter() - start
                reason = stop_reason(self.settings.stop, self.records, self.best_epoch, elapsed)
                if reason:
                    return reason
        except KeyboardInterrupt:
            return "interrupted"
        return "epochs"

    def finish(self, reason: StopReason, test: Dataset | None, seconds: float) -> Run:
        """Choose the parameters to keep and measure them."""
        params = self.module.unflatten(self._chosen(reason))
        validation = self.parts.validation
        return Run(
            params=params,
            history=History(self.module.SPEC_NAME, tuple(self.records)),
            stop_reason=reason,
            best_epoch=self.best_epoch,
            seconds=seconds,
            training=evaluate(self.module, params, self.parts.training),
            validation=evaluate(self.module, params, validation) if validation else None,
            test=evaluate(self.module, params, test) if test else None,
            standardization=self.parts.standardization,
        )

    def _chosen(self, reason: StopReason) -> NDArray[Any]:
        if self.settings.stop.patience is not None and self.records:
            return self.best
        current = self._theta()
        # Ctrl-C reaches Python only between compiled epochs: the current parameters are whole steps.
        return current if reason != "diverged" and np.isfinite(current).all() else self.last_good

    def _next_epoch(self) -> EpochRecord:
        """Train one epoch and measure both parts."""
        if self.settings.shuffle == "each_epoch":
            self.order = self._permutation()
        start = time.perf_counter()
        loss = self.module.train_epoch(
            self.params, self.state, *self.parts.training.arrays, batch_size=self.batch_size, order=self.order
        )
        seconds = time.perf_counter() - start
        validation = self.parts.validation
        return EpochRecord(
            epoch=self.epoch,
            loss=float(loss),
            validation_loss=float(self.module.loss(self.params, *validation.arrays)) if validation else None,
            accuracy=accuracy(self.module, self.params, self.sample),
            validation_accuracy=accuracy(self.module, self.params, validation) if validation else None,
            seconds=seconds,
        )

    def _keep(self, record: EpochRecord) -> None:
        """Remember a good epoch, and whether it is the best."""
        self.records.append(record)
        self.last_good = self._theta()
        if record.objective < self.best_objective:
            self.best, self.best_epoch = self.last_good, record.epoch
            self.best_objective = record.objective

    def _defect(self, record: EpochRecord) -> str:
        """What is not finite after this epoch, as a sentence; empty when all is well."""
        if not np.isfinite(record.loss):
            return f"the training loss became {record.loss}{self._bad_batch()}"
        if not np.isfinite(self._theta()).all():
            return "a parameter is no longer a finite number"
        if not np.isfinite(record.objective):
            return f"the validation loss became {record.objective}"
        return ""

    def _bad_batch(self) -> str:
        """The first batch whose loss was bad before the epoch began: then the rows are to blame."""
        params = self.module.unflatten(self.last_good)
        rows = np.arange(self.parts.training.rows) if self.order is None else self.order
        for step, first in enumerate(range(0, len(rows), self.batch_size), 1):
            batch = self.parts.training.take(rows[first : first + self.batch_size])
            if not np.isfinite(self.module.loss(params, *batch.arrays)):
                return f" (step {step}: its batch has no finite loss even before the epoch's steps)"
        return " (the steps grew too large: before the epoch every batch had a finite loss)"

    def _permutation(self) -> NDArray[np.int64] | None:
        """A new order of the rows; None, as they stand, when one batch holds them all."""
        rows = self.parts.training.rows
        return self.shuffler.permutation(rows).astype(np.int64) if self.batch_size < rows else None

    def _theta(self) -> NDArray[Any]:
        return np.array(self.module.flatten(self.params), copy=True)


def _sample(training: Dataset, seed: int) -> Dataset:
    """The rows the training accuracy is measured on; drawn at random, as files may be sorted by class."""
    if training.rows <= ACCURACY_ROWS:
        return training
    rows = np.random.default_rng([seed, SAMPLE_STREAM]).choice(training.rows, ACCURACY_ROWS, replace=False)
    return training.take(np.sort(rows))
