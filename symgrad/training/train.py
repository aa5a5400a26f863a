"""Training as one call: data, split, standardisation, epochs, report, files."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from symgrad.arguments import whole
from symgrad.errors import DivergenceError, ModuleError
from symgrad.training.checkpoint import Checkpoint, save_checkpoint
from symgrad.training.chosen_hyper import chosen_hyper, warn_of_hyper
from symgrad.training.dataset.data import Dataset, load_data
from symgrad.training.history import EpochRecord, History
from symgrad.training.loop import DIVERGED_REMEDY, Snapshot, Trainer, TrainingOutcome
from symgrad.training.metrics import check_targets, evaluate, score_name
from symgrad.training.progress import console_progress
from symgrad.training.run import CHECKPOINT, Run, TrainingDivergedError, write_run
from symgrad.training.run_folder import run_folder
from symgrad.training.split import Parts, prepare
from symgrad.training.stopping import watches_loss

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from symgrad.spec.model import Spec, TrainSpec
    from symgrad.training.dataset.data import Data

BatchSize: TypeAlias = int | Literal["full"]

FACTS = ("SPEC_NAME", "SPEC_SHA256", "SYMGRAD_VERSION", "DTYPE", "TASK", "INPUTS", "TARGETS")
FUNCTIONS = ("init_params", "init_state", "train_epoch", "loss", "predict", "flatten", "unflatten")
AUTOSAVE_SECONDS = 60.0
STANDARDIZED = "inputs were standardised: `predict` of the run and of its checkpoint takes them as they are"


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
) -> Run:
    """Train the module as the spec says; the same seed gives the same bits on the same machine
    with the same number of threads.

    `data`, `validation`, `epochs`, `batch_size` and `seed` replace what the spec says; data are a file,
    which may lie anywhere, a data frame, arrays by name, a tuple of inputs and targets, or a `Dataset`.
    `hyper` are other hyper-parameters than the spec's, as `{"learning_rate": 0.01}`. `out` is a folder for
    the checkpoint (also saved about once a minute), the history and the learning curves. `progress` shows
    the epochs on stderr. Ctrl-C ends training with the last whole epoch.

    Raises:
        DataError: for data that do not fit, and an `out` that cannot be written.
        ModuleError: for a module that is not this spec's.
        SpecError: for a hyper-parameter that the spec does not have, or could not.
        TrainingDivergedError: carries the `run` up to the last good epoch, which is also written.
    """
    start = time.perf_counter()
    check_module(module, spec)
    chosen, plan = chosen_hyper(spec, hyper or {}), _plan(spec.train, epochs, batch_size, seed)
    parts = _parts(spec, module, data, validation, plan.seed)
    warn_of_hyper(spec, chosen)
    with nullcontext() if out is None else run_folder(Path(out)) as folder:
        trainer = Trainer(module, plan, parts, chosen)
        autosave = _autosave(folder, trainer)
        with console_progress(plan.epochs, score_name(module)) if progress else nullcontext() as show:
            outcome = trainer.run(_after_epoch(show, autosave))
        run = _finished(trainer, outcome, start)
        defect = outcome.defect or _late_defect(run)
        if defect is not None:
            run = replace(run, stop_reason="diverged")
        if folder is not None:
            run = write_run(folder, module, run)
    if defect is not None:
        raise TrainingDivergedError(defect, run)
    return run


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


def _plan(spec: TrainSpec, epochs: int | None, batch_size: BatchSize | None, seed: int | None) -> TrainSpec:
    """The spec's settings with what the caller overrides."""
    size = spec.batch_size if batch_size is None else batch_size
    return replace(
        spec,
        epochs=spec.epochs if epochs is None else whole("epochs", epochs, 1),
        batch_size="full" if size == "full" else whole("batch_size", size, 1),
        seed=spec.seed if seed is None else whole("seed", seed, 0),
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


def _after_epoch(
    show: Callable[[EpochRecord], None] | None, autosave: Callable[[Snapshot], None]
) -> Callable[[EpochRecord, Snapshot], None]:
    def report(record: EpochRecord, snapshot: Snapshot) -> None:
        if show is not None:
            show(record)
        autosave(snapshot)

    return report


def _autosave(folder: Path | None, trainer: Trainer) -> Callable[[Snapshot], None]:
    """A function that saves a snapshot when the last saving was some time ago."""
    saved_at = time.perf_counter()

    def save(snapshot: Snapshot) -> None:
        nonlocal saved_at
        if folder is not None and time.perf_counter() - saved_at >= AUTOSAVE_SECONDS:
            save_checkpoint(folder / CHECKPOINT, trainer.module, _checkpoint(trainer, snapshot))
            saved_at = time.perf_counter()

    return save


def _checkpoint(trainer: Trainer, snapshot: Snapshot) -> Checkpoint:
    fitted, state = snapshot.restored(trainer.module)
    return Checkpoint(
        fitted, state, trainer.parts.preparation, snapshot.epoch, trainer.plan.seed, trainer.module
    )


def _finished(trainer: Trainer, outcome: TrainingOutcome, start: float) -> Run:
    """Choose the parameters to keep and measure them."""
    module, plan, parts = trainer.module, trainer.plan, trainer.parts
    kept = outcome.best if watches_loss(plan.stop) and outcome.records else outcome.last
    checkpoint = _checkpoint(trainer, kept)
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


def _late_defect(run: Run) -> DivergenceError | None:
    """The divergence that the last steps of a run hide: an epoch's loss is that before each of its steps."""
    if np.isfinite(run.training.loss):
        return None
    at = f"{run.spec_name}, after epoch {run.checkpoint.epoch}"
    return DivergenceError(f"the training loss became {run.training.loss}", at=at, remedy=DIVERGED_REMEDY)
