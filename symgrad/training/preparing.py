"""What is trained: a module that is its spec's, its plan, and the rows."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from symgrad.arguments import one_of, whole
from symgrad.errors import ModuleError, SpecError, SymgradError
from symgrad.ranks.group_of_ranks import ALONE
from symgrad.ranks.made_once import made_once
from symgrad.spec.expand import expand
from symgrad.spec.model import MONITORS
from symgrad.training.dataset.data import Dataset, load_data
from symgrad.training.scores.metrics import check_targets
from symgrad.training.split import Parts, divided, prepared_alike

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from symgrad.ranks.group_of_ranks import RankGroup
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


def check_shared(module: ModuleType, spec: Spec) -> None:
    """Raise SpecError where ranks cannot share the rows of a batch, ModuleError for an older module."""
    if not hasattr(module, "COUPLED"):
        problem = "the module knows nothing of ranks that share its batches"
        raise ModuleError(problem, at=spec.name, remedy="generate it anew from the spec")
    if module.COUPLED:
        raise unshared(spec, module.COUPLED, getattr(module, "COUPLED_BY", ""))
    if spec.train.shard and not hasattr(module, "own_state"):
        problem = "the module knows nothing of states that ranks divide"
        raise ModuleError(problem, at=spec.name, remedy="generate it anew from the spec")


def unshared(spec: Spec, reason: str, equation: str) -> SpecError:
    """The error of a spec whose batches ranks cannot share: at the equation or the layer that this is said
    of, else at the loss."""
    remedy = "let rows know of each other by sums or extrema over all of them alone, draw what a recurrence"
    remedy += " needs in an equation of all steps above it, or train without ranks"
    places = {found.name: found.at for found in expand(spec).equations}
    at = places.get(equation, spec.loss.at if spec.loss is not None else spec.at)
    return SpecError(f"ranks cannot share the rows of a batch: {reason}", at=at, remedy=remedy)


def planned(
    spec: TrainSpec,
    epochs: int | None,
    batch_size: BatchSize | None,
    seed: int | None,
    monitor: Monitor | None = None,
    metrics: Sequence[str] = (),
) -> TrainSpec:
    """The spec's settings with what the caller overrides. Raises SymgradError for what is none."""
    size = spec.batch_size if batch_size is None else batch_size
    return replace(
        spec,
        epochs=spec.epochs if epochs is None else whole("epochs", epochs, 0 if spec.finish else 1),
        batch_size="full" if size == "full" else whole("batch_size", size, 1),
        seed=spec.seed if seed is None else whole("seed", seed, 0),
        monitor=spec.monitor if monitor is None else one_of("monitor", monitor, MONITORS),
        metrics=tuple(dict.fromkeys((*spec.metrics, *_names(metrics)))),
    )


def _names(metrics: Sequence[str]) -> Sequence[str]:
    """Raises SymgradError for what are no names."""
    if isinstance(metrics, str) or not all(isinstance(name, str) for name in metrics):
        raise SymgradError(f"metrics is {metrics!r}", remedy='expected names: ["f1_macro"]')
    return metrics


def prepared_parts(
    spec: Spec, data: Data | None, validation: Data | None, seed: int, ranks: RankGroup = ALONE
) -> Parts:
    """Load, split and standardise what the epochs run on. Raises DataError.

    Files are read by one rank of each machine, and what they hold lies there once, where no rank may write.
    """

    def make() -> Parts:
        training, held_out = divided(spec, *_read(spec, data, validation), seed)
        parts = prepared_alike(spec, training, held_out)
        _ = ranks.count > 1 and parts.sha256  # found once, it goes with them to all ranks
        return parts

    return data if isinstance(data, Parts) else made_once(ranks, _files(spec, data, validation, seed), make)


def _read(spec: Spec, data: Data | None, validation: Data | None) -> tuple[Dataset, Dataset | None]:
    """The data, and those held out where they are given apart."""
    dataset = data if isinstance(data, Dataset) else load_data(spec, data)
    if validation is None or isinstance(validation, Dataset):
        return dataset, validation
    return dataset, load_data(spec, validation, like=dataset.preparation)


def _files(spec: Spec, data: Data | None, validation: Data | None, seed: int) -> str | None:
    """What parts are made of, the same in all processes of a machine; None where some of it is in memory."""
    given = [source for source in (data, validation) if source is not None]
    if not all(isinstance(source, str | os.PathLike) for source in given):
        return None
    folder = (spec.path.parent if spec.path else Path()).resolve()
    places = [source and os.path.abspath(source) for source in (data, validation)]
    return str((spec.sha256, folder, *places, seed))


def check_parts(module: ModuleType, parts: Parts) -> None:
    """Raise DataError for targets that the module's loss has no meaning for."""
    for part in (parts.training, parts.validation):
        if part is not None:
            check_targets(module, part)
