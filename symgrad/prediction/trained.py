"""A trained network from what training wrote: the folder of a run, or a checkpoint in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from symgrad.compiler.loading.load import load
from symgrad.errors import DataError, DataWarning, warn
from symgrad.runtime.array_archives import read_archive
from symgrad.training.checkpoint import IMPORTED, Checkpoint, load_checkpoint
from symgrad.training.resuming import FOLDER, newest, spec_of
from symgrad.training.run import CHECKPOINT

if TYPE_CHECKING:
    from symgrad.compiler.loading.load import ModuleSource
    from symgrad.spec.model import Spec

TRAIN_FIRST = "name the folder that `symgrad train` wrote, or the checkpoint in it"


def open_trained(run: str | os.PathLike[str], module: ModuleSource | None = None) -> Checkpoint:
    """The checkpoint of a run with its module: this, or the one beside it under the spec's name.

    Raises:
        DataError: there is no checkpoint, it cannot be read, or it belongs to another network.
        ModuleError: the module cannot be loaded.
    """
    place = Path(run)
    file = place / CHECKPOINT if place.is_dir() else place
    if (place / FOLDER).is_dir() and not file.is_file():  # it was killed
        file, _ = newest(place)
    if not file.is_file():
        problem = f"there is no {CHECKPOINT} in it" if place.is_dir() else "there is no such file"
        raise DataError(problem, at=str(place), remedy=TRAIN_FIRST)
    source = _module_beside(file) if module is None else module
    trained = load_checkpoint(file, load(source) if isinstance(source, str | os.PathLike) else source)
    if trained.epoch == 0 and IMPORTED not in trained.more:
        problem = "holds first values: the run diverged or was stopped in its first epoch, and learnt nothing"
        warn(DataWarning(problem, at=str(file), remedy="train again"))
    return trained


def spec_of_run(run: Path) -> Spec:
    """The spec that a run was begun with, as its folder keeps it. Raises DataError where it does not."""
    folder = next((f for f in (run, run.parent, run.parent.parent) if (f / FOLDER).is_dir()), run)
    _, orders = newest(folder)
    return spec_of(folder, orders, None)


def _module_beside(file: Path) -> Path:
    """The module of a checkpoint, in its folder or the one above."""
    try:
        name = str(read_archive(file)["spec_name"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError("is no checkpoint that can be read", at=str(file), remedy=TRAIN_FIRST) from error
    for folder in (file.parent, file.parent.parent):
        if (found := folder / f"{name}.py").is_file():
            return found
    problem = f"its module, {name}.py, does not lie beside it"
    raise DataError(problem, at=str(file), remedy="name the module: --module FILE")
