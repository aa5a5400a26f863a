"""Training as one call: data, split, standardisation, epochs, report, files."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from symgrad.errors import (
    CallbackError,
    DataError,
    DataWarning,
    DivergenceError,
    warn,
)
from symgrad.ranks.group_of_ranks import ALONE, RankGroup
from symgrad.ranks.mpi_world import is_launched
from symgrad.spec.reader import source_of
from symgrad.spec.reading.derive_block import INPUT_GRADIENT
from symgrad.training.borrowed_params import ParamsSource, borrow
from symgrad.training.dataset.data import Dataset
from symgrad.training.dataset.resampled_points import resampled, resamples
from symgrad.training.epochs.chosen_hyper import chosen_hyper, warn_of_hyper
from symgrad.training.epochs.divergence import Trace, first_of_all, traced
from symgrad.training.epochs.epoch_steps import DIVERGED_REMEDY, EpochSteps
from symgrad.training.epochs.loop import Trainer
from symgrad.training.epochs.running_hyper import running_hyper
from symgrad.training.epochs.snapshots import Reached, Snapshot, TrainingOutcome, averaged, beginning
from symgrad.training.epochs.stopping import STOPS, keeps_best
from symgrad.training.epochs.training_callbacks import AfterEpoch, AfterSteps, Callbacks, checked_steps
from symgrad.training.finishing.finish import finished
from symgrad.training.finishing.shared_outcome import shared_outcome
from symgrad.training.logs.run_logs import LogName, RunLogs, checked_logs, run_logs
from symgrad.training.preparing import (
    BatchSize,
    check_module,
    check_parts,
    check_shared,
    planned,
    prepared_parts,
)
from symgrad.training.records.history import EpochRecord, History
from symgrad.training.records.progress import shown_progress
from symgrad.training.resuming import (
    GoingOn,
    Keeper,
    Orders,
    checkpoint_of,
    module_hash,
    reached_by,
)
from symgrad.training.run import CHECKPOINT, Run, RunNotWrittenError, TrainingDivergedError, write_run
from symgrad.training.run_folder import leave_module, run_folder
from symgrad.training.scores.metrics import evaluate, score_name, scored_target
from symgrad.training.scores.unreached import unreached
from symgrad.training.split import Parts, prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import ModuleType

    from symgrad.errors import SpecWarning
    from symgrad.spec.model import Monitor, Spec, TrainSpec
    from symgrad.training.checkpoint import Checkpoint
    from symgrad.training.dataset.data import Data
    from symgrad.training.scores.metrics import Metrics

NOTHING_LEFT = "it was finished: nothing was left to do; --epochs N, more than {}, goes on"
STOPPED_BEFORE = "it had stopped before: nothing was left to do, and more --epochs change nothing"
STOPPED_BEFORE += "; --params-from {} begins anew with what it learnt"
OTHER_RANKS = "the epochs before were made by {}, those now by {}: the last digits may differ"
STANDARDIZED = "inputs were standardised: `predict` of the run and of its checkpoint takes them as they are"
LEFT = "{} stayed as in the data, as such numbers say which places of a row are there, or how much it counts"
UNREACHED = (
    "divide it by {} in the data, as `standardize: true` is of inputs alone",
    "write `standardize: true` in the train block",
)
ROWS_DOUBTED = 256
"""So many rows are looked at where something may be not solved for."""
Doubts: TypeAlias = "Callable[[Mapping[str, Any], Mapping[str, Any]], Sequence[SpecWarning]]"
"""What is to be doubted at parameters and data by name."""
AVERAGED = "the parameters kept and measured are the moving average of those trained"


def train(
    spec: Spec,
    module: ModuleType,
    *,
    data: Data | None = None,
    validation: Data | None = None,
    epochs: int | None = None,
    batch_size: BatchSize | None = None,
    seed: int | None = None,
    hyper: Mapping[str, float] | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool = True,
    after_epoch: AfterEpoch | None = None,
    after_steps: AfterSteps | None = None,
    params_from: ParamsSource | None = None,
    names: Mapping[str, str] | None = None,
    going_on: GoingOn | None = None,
    monitor: Monitor | None = None,
    metrics: Sequence[str] = (),
    log: Sequence[str] = (),
    trace: Trace | None = None,
    unsolved: Doubts | None = None,
    ranks: RankGroup = ALONE,
) -> Run:
    """Train the module as the spec says; the same seed gives the same bits on the same machine
    with the same number of threads.

    `data`, `validation`, `epochs`, `batch_size` and `seed` replace what the spec says; data are a file,
    which may lie anywhere, a data frame, arrays by name, a tuple of inputs and targets, a `Dataset`, or the
    `Parts` of `prepared_parts`.
    `hyper` are other hyper-parameters than the spec's, as `{"learning_rate": 0.01}`. `out` is a folder for
    the checkpoint, the history and the learning curves, and for what training can be `going_on` from, kept as
    often as the spec says. `progress` shows the epochs, on stderr or in a notebook's cell. Ctrl-C ends
    training with the last whole epoch. `params_from` has parameters that are taken instead of first values
    where they fit: see `borrow`; `names` says which is which. `after_epoch` is called with the record of each
    epoch and a copy of the parameters, and of `after_steps=(100, told)` the function after every hundred
    steps with a StepRecord: see `Callbacks`. A run that a callback ended within an epoch keeps the parameters
    that it saw; going on with it makes that epoch anew. `monitor` says what is measured
    besides at the end of each epoch, `metrics` which scores of scikit-learn's on held-out rows, `log` where
    epochs are logged besides. `trace` finds the first tensor that is not finite, where a loss is not, and
    `unsolved` what a solver has not solved for at the parameters that are kept.

    All `ranks` make this call. They share every batch; the first alone measures, calls callbacks and writes
    into `out`, and its run has what it wrote.

    Raises:
        CallbackError: a callback failed; it carries the `run` up to there, which is also written.
        DataError: for data that do not fit, and an `out` that cannot be written; a RunNotWrittenError where
            that is known at the end only: it carries the `run`.
        ModuleError: for a module that is not this spec's.
        SpecError: for a hyper-parameter that the spec does not have, or could not.
        TrainingDivergedError: carries the `run` up to the last good epoch, which is also written.
    """
    start = time.perf_counter()

    def ask() -> _Asked:
        check_module(module, spec)
        if ranks.comm is not None:
            check_shared(module, spec)
        callbacks = Callbacks(spec, module, after_epoch, checked_steps(after_steps))
        logged = checked_logs(log, has_folder=out is not None)
        chosen = chosen_hyper(spec, {} if hyper is None else hyper)
        plan = planned(spec.train, epochs, batch_size, seed, monitor, metrics)
        return _Asked(callbacks, logged, chosen, plan)

    asked = ranks.together(ask)
    parts = prepared_parts(spec, data, validation, asked.plan.seed, ranks)
    ranks.agreed(lambda: check_parts(module, parts))

    def begin() -> _Beginning:
        reached, notes = _start(module, asked.plan, parts, params_from, names or {}, going_on, asked.chosen)
        warn_of_hyper(spec, asked.chosen)
        return _Beginning(*asked, parts, reached, notes)

    begun = ranks.together(begin)
    _demand_same(ranks, spec, module, begun)
    with ranks.held_by_first(partial(_own_folder, out, module)) as folder:
        trainer = _trainer(spec, module, begun, going_on, trace, ranks, is_spec_data=data is None)
        _compile_first(trainer, begun.reached)
        orders = _orders(spec, trainer, data, validation, begun.logged) if folder else None
        is_new = going_on is None
        keeper = ranks.together(
            lambda: (
                Keeper(folder, orders, trainer, begun.reached, is_new=is_new) if folder and orders else None
            )
        )
        keep = _keeping(trainer, keeper) if out is not None else _unseen
        outcome = _carried_out(trainer, folder, begun.logged, keep, progress=progress)
        run = _finished(trainer, outcome, start)
        run = replace(run, notes=(*begun.notes, *_gone_on(going_on, outcome, ranks), *run.notes))
        defect = outcome.defect or ranks.agreed(lambda: _late_defect(run, trainer))
        if isinstance(defect, DivergenceError):
            run = replace(run, stop_reason="diverged")
        left = trainer.reached
        run = ranks.together(lambda: _written(folder, keeper, left, run) if folder and keeper else run)
    if isinstance(defect, CallbackError):
        defect.run = run
        raise defect
    if defect is not None:
        raise TrainingDivergedError(defect, run)
    if ranks.is_first:
        _warn_of_unreached(run, module, begun.parts.training)
        if unsolved is not None:
            _warn_of_unsolved(run, module, begun.parts.training, unsolved)
    return run


class _Asked(NamedTuple):
    """What is asked of training, checked."""

    callbacks: Callbacks
    logged: Sequence[LogName]
    chosen: dict[str, float]
    plan: TrainSpec


class _Beginning(NamedTuple):
    """What training begins with, on each rank alike."""

    callbacks: Callbacks
    logged: Sequence[LogName]
    chosen: dict[str, float]
    plan: TrainSpec
    parts: Parts
    reached: Reached
    notes: tuple[str, ...]


@contextmanager
def _own_folder(out: str | os.PathLike[str] | None, module: ModuleType) -> Iterator[Path | None]:
    """The folder of the run, if it has one, with its module. Raises DataError."""
    if out is None:
        yield None
        return
    with run_folder(Path(out)) as folder:
        leave_module(module, folder)
        yield folder


def _demand_same(ranks: RankGroup, spec: Spec, module: ModuleType, begun: _Beginning) -> None:
    """Raise DataError unless all ranks train the same on the same."""
    if ranks.count > 1:
        same = {
            "text of the spec": spec.sha256,
            "text of the module": module_hash(module),
            "settings": str(begun.plan),
            "data": begun.parts.sha256,
        }
        ranks.demand_same(same)


def _trainer(
    spec: Spec,
    module: ModuleType,
    begun: _Beginning,
    going_on: GoingOn | None,
    trace: Trace | None,
    ranks: RankGroup,
    *,
    is_spec_data: bool,
) -> Trainer:
    plan, parts, callbacks = begun.plan, begun.parts, begun.callbacks
    every = callbacks.every or (going_on.orders.every if going_on else None)
    running = running_hyper(spec, module, begun.chosen, plan.epochs)
    drawn = _drawn_anew(spec, parts) if is_spec_data else None
    steps = EpochSteps(module, plan, parts.training, running, every, trace, drawn, ranks)
    return Trainer(steps, parts, begun.reached, callbacks)


def _carried_out(
    trainer: Trainer,
    folder: Path | None,
    logged: Sequence[LogName],
    keep: Callable[[int], None],
    *,
    progress: bool,
) -> TrainingOutcome:
    """What came of all epochs, and of what finishes them, shown and logged as they end."""
    plan, ranks = trainer.plan, trainer.ranks
    with ExitStack() as stack:
        logs = ranks.together(lambda: stack.enter_context(run_logs(folder, trainer, logged)))
        iterations = plan.finish.iterations if plan.finish else 0
        planned = plan.epochs + iterations, score_name(trainer.module), iterations
        shown = shown_progress(*planned) if progress and ranks.is_first else nullcontext()
        with shown as show:
            report = _reporting(show, logs)
            outcome = trainer.run(report, keep)
            outcome = shared_outcome(ranks, outcome, lambda before: finished(trainer, before, report))
        logs.end(outcome.records, outcome.reason)
    return outcome


def _gone_on(going_on: GoingOn | None, outcome: TrainingOutcome, ranks: RankGroup) -> tuple[str, ...]:
    """What is to be said of a training that went on with another."""
    if going_on is None:
        return ()
    others, before = going_on.orders.ranks, len(going_on.reached.records)
    made = sum(record.iteration is None for record in outcome.records)
    if made > before:
        is_mixed = before and others != ranks.count
        return (OTHER_RANKS.format(_ranks(others), _ranks(ranks.count)),) if is_mixed else ()
    if outcome.defect is not None or outcome.finish:
        return ()
    if outcome.reason in STOPS:
        return (STOPPED_BEFORE.format(going_on.run / CHECKPOINT),)
    return (NOTHING_LEFT.format(made),) if outcome.reason == "epochs" else ()


def _ranks(count: int) -> str:
    return "1 rank" if count == 1 else f"{count} ranks"


def _compile_first(trainer: Trainer, reached: Reached) -> None:
    """Let the first rank compile what the others then find on disk, where they look there too."""
    if trainer.ranks.count > 1 and trainer.plan.epochs:
        trainer.ranks.told_by_first(lambda: trainer.steps.compile(*reached.last.restored(trainer.module)))


def _drawn_anew(spec: Spec, parts: Parts) -> Callable[[int], Dataset] | None:
    """What gives the rows of an epoch, where the spec has points drawn anew for each."""
    if not resamples(spec):
        return None

    @lru_cache(maxsize=1)
    def of_epoch(epoch: int) -> Dataset:
        drawn = resampled(spec, parts.training, epoch)
        return drawn if epoch == 1 else prepared(drawn, parts.preparation, spec.dtype)

    return of_epoch


def _warn_of_unreached(run: Run, module: ModuleType, training: Dataset) -> None:
    """Say why a network that was trained to its end answers worse than the mean, where that is to be seen."""
    target = scored_target(module, training)
    if target is not None and run.stop_reason != "interrupted":
        found = unreached(run.training.r2, target, training.inputs, at=training.origin, remedies=UNREACHED)
        if found is not None:
            warn(found)


def _warn_of_unsolved(run: Run, module: ModuleType, training: Dataset, unsolved: Doubts) -> None:
    """Say what a solver has not solved for on rows trained on."""
    rows = training.take(np.arange(min(training.rows, ROWS_DOUBTED)))
    arrays = dict(zip((*module.INPUTS, *module.TARGETS), rows.arrays, strict=True))
    for doubt in unsolved(run.checkpoint.fitted._asdict(), arrays):
        warn(doubt)


def _reporting(show: Callable[[EpochRecord], None] | None, logs: RunLogs) -> Callable[[EpochRecord], None]:
    """What is done when an epoch has ended."""

    def report(record: EpochRecord) -> None:
        logs.add(record)
        if show is not None:
            show(record)

    return report


def _keeping(trainer: Trainer, keeper: Keeper | None) -> Callable[[int], None]:
    """What is done when callbacks have answered to an epoch: ranks give the one that writes what it lacks."""

    def keep(epoch: int) -> None:
        if trainer.ranks.agreed(lambda: keeper is not None and keeper.is_due(epoch)):
            reached = trainer.reached
            if keeper is not None:
                keeper.after(reached)

    return keep


def _unseen(_: object) -> None:
    """Nobody is told."""


def resume(
    spec: Spec,
    module: ModuleType,
    run: Path,
    checkpoint: Path,
    orders: Orders,
    *,
    data: Data | None = None,
    epochs: int | None = None,
    progress: bool = True,
    after_epoch: AfterEpoch | None = None,
    trace: Trace | None = None,
    unsolved: Doubts | None = None,
    after_steps: AfterSteps | None = None,
    log: Sequence[str] = (),
    ranks: RankGroup = ALONE,
) -> Run:
    """Go on with a run from one of its checkpoints, to the end that it would have had.

    `data` says where the same data lie now; `epochs` may be more than the run was begun with. `log` names
    where epochs are logged besides, those made before too.

    Raises:
        DataError: the data are not the same, or the checkpoint is of another network or optimiser.
    """
    check_module(module, spec)
    if module_hash(module) != orders.module_sha256:
        problem = (
            f"the module is not the one that this run was begun with (it is of {module.SYMGRAD_VERSION})"
        )
        warn(DataWarning(problem, at=str(run), remedy="the last digits may differ from a run never stopped"))
    return train(
        spec,
        module,
        data=orders.data if data is None else data,
        validation=orders.validation,
        epochs=orders.epochs if epochs is None else epochs,
        batch_size=orders.batch_size,
        seed=orders.seed,
        hyper=orders.hyper,
        out=run,
        progress=progress,
        after_epoch=after_epoch,
        after_steps=after_steps,
        going_on=GoingOn(run, orders, reached_by(checkpoint, module)),
        monitor=orders.monitor,
        metrics=orders.metrics,
        log=(*orders.log, *checked_logs(log)),
        trace=trace,
        unsolved=unsolved,
        ranks=ranks,
    )


def _start(
    module: ModuleType,
    plan: TrainSpec,
    parts: Parts,
    params_from: ParamsSource | None,
    names: Mapping[str, str],
    going_on: GoingOn | None,
    hyper: Mapping[str, float],
) -> tuple[Reached, tuple[str, ...]]:
    """What training begins or goes on with, and what to say about it."""
    if going_on is not None:
        going_on.check_data(parts)
        return going_on.reached, ()
    if params_from is None:
        return beginning(module, module.init_params(seed=plan.seed), hyper, plan.seed), ()
    borrowed = borrow(params_from, names, module, plan.seed)
    return beginning(module, borrowed.params, hyper, plan.seed), (borrowed.note,)


def _orders(
    spec: Spec, trainer: Trainer, data: Data | None, validation: Data | None, log: Sequence[str]
) -> Orders:
    """What the run was told, as its checkpoints keep it."""
    module, plan = trainer.module, trainer.plan
    file = getattr(module, "__file__", None)
    return Orders(
        spec=source_of(spec),
        spec_path=_place(spec.path),
        module_path=_place(file),
        data=_place(data),
        validation=_place(validation),
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        seed=plan.seed,
        hyper=dict(trainer.steps.hyper.given),
        data_sha256=trainer.parts.sha256,
        module_sha256=module_hash(module),
        monitor=plan.monitor,
        metrics=plan.metrics,
        log=log,
        every=trainer.steps.every,
        derive=[*map(str, spec.derive), *(f"{INPUT_GRADIENT}({name})" for name in spec.gradients)],
        ranks=trainer.ranks.count,
    )


def _place(source: Any) -> str | None:
    """Where a file lies, whatever folder one stands in; None for what is none."""
    source = source.training if isinstance(source, Parts) else source
    place = source.origin if isinstance(source, Dataset) else source
    return os.path.abspath(place) if isinstance(place, str | os.PathLike) and Path(place).exists() else None


def _written(folder: Path, keeper: Keeper, reached: Reached, run: Run) -> Run:
    """The run with the files that it wrote."""
    if run.stop_reason in ("interrupted", "callback failed"):
        run = replace(run, notes=(*run.notes, f"{_resuming(folder, keeper.orders.ranks)} goes on with it"))
    try:
        keeper.finish(reached)
        return write_run(folder, run)
    except DataError as error:
        raise RunNotWrittenError(error, run) from error


def _resuming(folder: Path, ranks: int) -> str:
    """The command that goes on with a run, by as many ranks where `--ranks` began them."""
    return f"symgrad train --resume {folder}{f' --ranks {ranks}' if is_launched() else ''}"


def _finished(trainer: Trainer, outcome: TrainingOutcome, start: float) -> Run:
    """Choose the parameters to keep and measure them."""
    module, plan, parts = trainer.module, trainer.plan, trainer.parts
    kept = outcome.best if keeps_best(plan.stop) and outcome.records else outcome.last
    checkpoint = _kept(trainer, kept)

    def measure() -> tuple[Metrics, Metrics | None]:
        held_out = evaluate(module, checkpoint.fitted, parts.validation) if parts.validation else None
        return evaluate(module, checkpoint.fitted, parts.training), held_out

    measured = trainer.ranks.agreed(measure)
    return Run(
        spec_name=module.SPEC_NAME,
        checkpoint=checkpoint,
        history=History(
            *(module.SPEC_NAME, score_name(module), outcome.records, outcome.changes), trainer.scores.watch
        ),
        stop_reason=outcome.reason,
        best_epoch=outcome.best.epoch,
        training=measured[0],
        validation=measured[1],
        seconds=time.perf_counter() - start,
        steps_per_epoch=trainer.steps.per_epoch,
        hyper=trainer.steps.hyper.given,
        notes=(
            *_ending(trainer, outcome),
            *((AVERAGED,) if hasattr(module, "averaged") else ()),
            *_standardized(parts, asked=trainer.plan.standardize),
        ),
    )


def _standardized(parts: Parts, *, asked: bool) -> Iterator[str]:
    """That inputs were standardised, and which numbers were not, though that was `asked`."""
    known = parts.preparation
    if known.is_standardized:
        yield STANDARDIZED
    floats = (name for name, values in parts.training.inputs.items() if values.dtype.kind == "f")
    left = [f"'{name}'" for name in floats if known.inputs[name].mean is None]
    if asked and left:
        yield LEFT.format(" and ".join(left))


def _kept(trainer: Trainer, snapshot: Snapshot) -> Checkpoint:
    """What a run leaves for use; where that is an average, the parameters that training goes on from too."""
    module, found = trainer.module, checkpoint_of(trainer, snapshot)
    if not hasattr(module, "averaged"):
        return found
    fitted = averaged(module, found.fitted, found.state)
    return replace(found, fitted=fitted, more={**found.more, "unaveraged.params": snapshot.theta})


def _ending(trainer: Trainer, outcome: TrainingOutcome) -> tuple[str, ...]:
    """What is to be said of a training that a callback ended."""
    said = (f"the callback said: {outcome.said}",) if outcome.said else ()
    if outcome.finish:
        return (*said, outcome.finish)
    for record in outcome.records[-1:]:
        left = record.epoch * trainer.steps.per_epoch - (record.step or 0)
        if left and outcome.reason == "callback":
            return (*said, f"epoch {record.epoch} ended after step {record.step}, {left} steps early")
    return said


def _late_defect(run: Run, trainer: Trainer) -> DivergenceError | None:
    """The divergence that the last steps of a run hide: an epoch's loss is that before each of its steps."""
    if np.isfinite(run.training.loss):
        return None
    at = f"{run.spec_name}, after epoch {run.checkpoint.epoch}"
    found = traced(trainer.module, run.checkpoint.fitted, trainer.parts.training, trainer.steps.trace)
    problem = f"the training loss became {run.training.loss}{first_of_all(found)}"
    return DivergenceError(problem, at=at, remedy=DIVERGED_REMEDY)
