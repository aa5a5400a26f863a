"""Training as one call: data, split, standardisation, epochs, report, files."""

from __future__ import annotations

import json
import os
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from symgrad.arguments import one_of, whole
from symgrad.errors import DataError, DataWarning, DivergenceError, ModuleError, warn
from symgrad.spec.model import MONITORS
from symgrad.training.borrowed_params import ParamsSource, borrow
from symgrad.training.dataset.data import Dataset, load_data
from symgrad.training.epochs.chosen_hyper import chosen_hyper, warn_of_hyper
from symgrad.training.epochs.divergence import Trace, first_of_all, traced
from symgrad.training.epochs.loop import DIVERGED_REMEDY, Reached, Trainer, TrainingOutcome, beginning
from symgrad.training.epochs.stopping import watches_loss
from symgrad.training.records.history import AfterEpoch, EpochRecord, History
from symgrad.training.records.progress import console_progress
from symgrad.training.resuming import (
    GoingOn,
    Keeper,
    Orders,
    checkpoint_of,
    data_hash,
    module_hash,
    reached_by,
)
from symgrad.training.run import Run, RunNotWrittenError, TrainingDivergedError, write_run
from symgrad.training.run_folder import run_folder
from symgrad.training.scores.metrics import check_targets, evaluate, score_name
from symgrad.training.split import Parts, prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from symgrad.spec.model import Monitor, Spec, TrainSpec
    from symgrad.training.dataset.data import Data

BatchSize: TypeAlias = int | Literal["full"]

FACTS = (
    "SPEC_NAME",
    "SPEC_SHA256",
    "NETWORK_SHA256",
    "SYMGRAD_VERSION",
    "DTYPE",
    "TASK",
    "INPUTS",
    "TARGETS",
)
FUNCTIONS = (
    "init_params",
    "init_state",
    "train_epoch",
    "loss",
    "loss_and_grad",
    "predict",
    "flatten",
    "unflatten",
    "save",
    "load",
)
STANDARDIZED = "inputs were standardized: `predict` of the run and of its checkpoint takes them as they are"


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
    params_from: ParamsSource | None = None,
    names: Mapping[str, str] | None = None,
    going_on: GoingOn | None = None,
    monitor: Monitor | None = None,
    trace: Trace | None = None,
) -> Run:
    """Train the module as the spec says; the same seed gives the same bits on the same machine
    with the same number of threads.

    `data`, `validation`, `epochs`, `batch_size` and `seed` replace what the spec says; data are a file,
    which may lie anywhere, a data frame, arrays by name, a tuple of inputs and targets, or a `Dataset`.
    `hyper` are other hyper-parameters than the spec's, as `{"learning_rate": 0.01}`. `out` is a folder for
    the checkpoint, the history and the learning curves, and for what training can be `going_on` from, kept as
    often as the spec says. `progress` shows the epochs on stderr. Ctrl-C ends training with the last whole
    epoch. `params_from` has parameters that are taken instead of first values where they fit: see `borrow`;
    `names` says which is which. `after_epoch` is called with the record of each epoch and a copy of the
    parameters; where it answers with what is true, training stops there. `monitor` says what is measured
    besides at the end of each epoch. `trace` finds the first tensor that is not finite, where a loss is not.

    Raises:
        DataError: for data that do not fit, and an `out` that cannot be written; a RunNotWrittenError where
            that is known at the end only: it carries the `run`.
        ModuleError: for a module that is not this spec's.
        SpecError: for a hyper-parameter that the spec does not have, or could not.
        TrainingDivergedError: carries the `run` up to the last good epoch, which is also written.
    """
    start = time.perf_counter()
    check_module(module, spec)
    chosen, plan = (
        chosen_hyper(spec, {} if hyper is None else hyper),
        _plan(spec.train, epochs, batch_size, seed, monitor),
    )
    parts = _parts(spec, module, data, validation, plan.seed)
    reached, notes = _start(module, plan, parts, params_from, names or {}, going_on, chosen)
    warn_of_hyper(spec, chosen)
    with nullcontext() if out is None else run_folder(Path(out)) as folder:
        trainer = Trainer(module, plan, parts, reached, chosen, trace)
        orders = _orders(spec, trainer, data, validation) if folder else None
        keeper = Keeper(folder, orders, trainer, is_new=going_on is None) if folder and orders else None
        with console_progress(plan.epochs, score_name(module)) if progress else nullcontext() as show:
            outcome = trainer.run(_reporting(trainer, show, keeper, after_epoch))
        run = _finished(trainer, outcome, start)
        run = replace(run, notes=(*notes, *run.notes))
        defect = outcome.defect or _late_defect(run, trainer)
        if defect is not None:
            run = replace(run, stop_reason="diverged")
        if folder is not None and keeper is not None:
            run = _written(folder, keeper, run)
    if defect is not None:
        raise TrainingDivergedError(defect, run)
    return run


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
) -> Run:
    """Go on with a run from one of its checkpoints, to the end that it would have had.

    `data` says where the same data lie now; `epochs` may be more than the run was begun with.

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
        going_on=GoingOn(run, orders, reached_by(checkpoint, module)),
        monitor=orders.monitor,
        trace=trace,
    )


def check_module(module: ModuleType, spec: Spec) -> None:
    """Raise ModuleError unless the module has the stable names and was emitted from this spec."""
    missing = [name for name in (*FACTS, *FUNCTIONS) if not hasattr(module, name)]
    remedy = "generate it anew from the spec"
    if missing:
        raise ModuleError(f"the module lacks {', '.join(missing)}", at=spec.name, remedy=remedy)
    names = [tuple(tensor.name for tensor in tensors) for tensors in (spec.inputs, spec.targets)]
    fits = names == [tuple(module.INPUTS), tuple(module.TARGETS)]
    if not fits or spec.sha256 != module.SPEC_SHA256 or np.dtype(module.DTYPE) != np.dtype(spec.dtype):
        problem = f"the module was generated from another version of the spec ('{module.SPEC_NAME}')"
        raise ModuleError(problem, at=spec.name, remedy=remedy)


def _plan(
    spec: TrainSpec,
    epochs: int | None,
    batch_size: BatchSize | None,
    seed: int | None,
    monitor: Monitor | None,
) -> TrainSpec:
    """The spec's settings with what the caller overrides."""
    size = spec.batch_size if batch_size is None else batch_size
    return replace(
        spec,
        epochs=spec.epochs if epochs is None else whole("epochs", epochs, 1),
        batch_size="full" if size == "full" else whole("batch_size", size, 1),
        seed=spec.seed if seed is None else whole("seed", seed, 0),
        monitor=spec.monitor if monitor is None else one_of("monitor", monitor, MONITORS),
    )


def _parts(spec: Spec, module: ModuleType, data: Data | None, validation: Data | None, seed: int) -> Parts:
    """Load, split, standardise and check what the epochs run on."""
    dataset = data if isinstance(data, Dataset) else load_data(spec, data)
    if validation is None or isinstance(validation, Dataset):
        held_out = validation
    else:
        held_out = load_data(spec, validation, like=dataset.preparation)
    parts = prepare(spec, dataset, seed, held_out)
    for part in (parts.training, parts.validation):
        if part is not None:
            check_targets(module, part)
    return parts


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
        return beginning(module, module.init_params(seed=plan.seed), hyper), ()
    borrowed = borrow(params_from, names, module, plan.seed)
    return beginning(module, borrowed.params, hyper), (borrowed.note,)


def _orders(spec: Spec, trainer: Trainer, data: Data | None, validation: Data | None) -> Orders:
    """What the run was told, as its checkpoints keep it."""
    module, plan = trainer.module, trainer.plan
    is_dict = spec.path is None and spec.text.startswith("{")
    file = getattr(module, "__file__", None)
    return Orders(
        spec=json.loads(spec.text) if is_dict else spec.text,
        spec_path=_place(spec.path),
        module_path=_place(file),
        data=_place(data),
        validation=_place(validation),
        epochs=plan.epochs,
        batch_size=plan.batch_size,
        seed=plan.seed,
        hyper=dict(trainer.hyper),
        data_sha256=data_hash(trainer.parts),
        module_sha256=module_hash(module),
        monitor=plan.monitor,
    )


def _place(source: Any) -> str | None:
    """Where a file lies, whatever folder one stands in; None for what is none."""
    place = source.origin if isinstance(source, Dataset) else source
    return os.path.abspath(place) if isinstance(place, str | os.PathLike) and Path(place).exists() else None


def _reporting(
    trainer: Trainer,
    show: Callable[[EpochRecord], None] | None,
    keeper: Keeper | None,
    after_epoch: AfterEpoch | None,
) -> Callable[[EpochRecord], bool]:
    """What is done after an epoch: it is shown and kept, and the caller may say stop."""

    def report(record: EpochRecord) -> bool:
        if show is not None:
            show(record)
        if keeper is not None:
            keeper.after(record.epoch)
        if after_epoch is None:
            return False
        params, _ = trainer.standing.last.restored(trainer.module)
        return bool(after_epoch(record, params))

    return report


def _written(folder: Path, keeper: Keeper, run: Run) -> Run:
    """The run with the files that it wrote."""
    if run.stop_reason == "interrupted":
        run = replace(run, notes=(*run.notes, f"symgrad train --resume {folder} goes on with it"))
    try:
        keeper.finish()
        return write_run(folder, run)
    except DataError as error:
        raise RunNotWrittenError(error, run) from error


def _finished(trainer: Trainer, outcome: TrainingOutcome, start: float) -> Run:
    """Choose the parameters to keep and measure them."""
    module, plan, parts = trainer.module, trainer.plan, trainer.parts
    kept = outcome.best if watches_loss(plan.stop) and outcome.records else outcome.last
    checkpoint = checkpoint_of(trainer, kept)
    validation = parts.validation
    return Run(
        spec_name=module.SPEC_NAME,
        checkpoint=checkpoint,
        history=History(module.SPEC_NAME, score_name(module), outcome.records),
        stop_reason=outcome.reason,
        best_epoch=outcome.best.epoch,
        training=evaluate(module, checkpoint.fitted, parts.training),
        validation=evaluate(module, checkpoint.fitted, validation) if validation else None,
        seconds=time.perf_counter() - start,
        steps_per_epoch=trainer.steps_per_epoch,
        hyper=trainer.hyper,
        notes=(STANDARDIZED,) if parts.preparation.is_standardized else (),
    )


def _late_defect(run: Run, trainer: Trainer) -> DivergenceError | None:
    """The divergence that the last steps of a run hide: an epoch's loss is that before each of its steps."""
    if np.isfinite(run.training.loss):
        return None
    at = f"{run.spec_name}, after epoch {run.checkpoint.epoch}"
    found = traced(trainer.module, run.checkpoint.fitted, trainer.parts.training, trainer.trace)
    problem = f"the training loss became {run.training.loss}{first_of_all(found)}"
    return DivergenceError(problem, at=at, remedy=DIVERGED_REMEDY)
