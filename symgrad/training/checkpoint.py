"""Checkpoints: parameters, standardisation and history in one NPZ file, never pickled."""

from __future__ import annotations

import os
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError
from symgrad.training.arrays import READ_ERRORS
from symgrad.training.history import FIELDS, EpochRecord, History
from symgrad.training.split import Standardization

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.training.loop import Run

FORMAT_VERSION = 1
TEXTS = ("spec_name", "spec_sha256", "symgrad_version", "stop_reason")


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds: enough to predict, and to say where the parameters come from."""

    params: Any
    standardization: Standardization
    history: History
    stop_reason: str
    best_epoch: int
    spec_sha256: str
    symgrad_version: str


def save_checkpoint(path: Path, module: ModuleType, run: Run) -> None:
    """Write the run's parameters, statistics and history; an earlier file is replaced whole or not at all.

    Raises DataError when the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **_arrays(module, run))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(f"the checkpoint cannot be written: {error.strerror}", at=str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _arrays(module: ModuleType, run: Run) -> dict[str, NDArray[Any]]:
    names, shapes = _layout(module)
    statistics = run.standardization
    return {
        "format_version": np.array(FORMAT_VERSION),
        "theta": np.asarray(module.flatten(run.params)),
        "parameter_names": np.array(names, dtype=np.str_),
        "parameter_shapes": np.array(shapes, dtype=np.str_),
        "spec_name": np.array(module.SPEC_NAME),
        "spec_sha256": np.array(module.SPEC_SHA256),
        "symgrad_version": np.array(module.SYMGRAD_VERSION),
        "dtype": np.array(module.DTYPE),
        "standardized": np.array(list(statistics.means), dtype=np.str_),
        **{f"mean.{name}": values for name, values in statistics.means.items()},
        **{f"deviation.{name}": values for name, values in statistics.deviations.items()},
        "history_fields": np.array(FIELDS),
        "history": _history_matrix(run.history),
        "stop_reason": np.array(run.stop_reason),
        "best_epoch": np.array(run.best_epoch),
    }


def _layout(module: ModuleType) -> tuple[list[str], list[str]]:
    """Names and shapes of the module's parameters; a scalar's shape is the empty text."""
    params = module.init_params(0)
    shapes = [",".join(str(size) for size in np.shape(values)) for values in params]
    return list(params._fields), shapes


def _history_matrix(history: History) -> NDArray[np.float64]:
    """[epochs, fields]; NaN stands for what was not measured."""
    rows = [[np.nan if value is None else value for value in astuple(record)] for record in history.records]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(FIELDS))


def load_checkpoint(path: Path, module: ModuleType) -> Checkpoint:
    """The checkpoint of a module generated from the same spec.

    Raises DataError for a missing, cut or pickled file, another spec, or parameters that do not fit.
    """
    arrays = _read(path)
    try:
        texts = {name: str(arrays[name]) for name in TEXTS}
        _check_origin(path, module, texts["spec_sha256"], int(arrays["format_version"]))
        return Checkpoint(
            params=module.unflatten(_theta(path, module, arrays)),
            standardization=_statistics(arrays),
            history=History(texts["spec_name"], _records(arrays)),
            stop_reason=texts["stop_reason"],
            best_epoch=int(arrays["best_epoch"]),
            spec_sha256=texts["spec_sha256"],
            symgrad_version=texts["symgrad_version"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"is not a symgrad checkpoint: {error}", at=str(path)) from error


def _read(path: Path) -> dict[str, NDArray[Any]]:
    remedy = "it may be cut short or not a checkpoint; train again"
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise DataError("there is no such checkpoint", at=str(path), remedy="train first") from error
    except (*READ_ERRORS, AttributeError) as error:
        raise DataError(f"the checkpoint cannot be read: {error}", at=str(path), remedy=remedy) from error


def _check_origin(path: Path, module: ModuleType, sha256: str, version: int) -> None:
    if version != FORMAT_VERSION:
        problem = f"the checkpoint has format {version}, this symgrad reads {FORMAT_VERSION}"
        raise DataError(problem, at=str(path), remedy="train again")
    if sha256 != module.SPEC_SHA256:
        problem = f"the checkpoint belongs to another spec (SHA-256 {sha256[:12]}, "
        problem += f"the module's is {module.SPEC_SHA256[:12]})"
        raise DataError(problem, at=str(path), remedy="train again, or use the spec it was trained with")


def _theta(path: Path, module: ModuleType, arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """The parameter vector, once names, shapes, dtype and values fit the module."""
    theta, (names, shapes) = arrays["theta"], _layout(module)
    size = np.size(module.flatten(module.init_params(0)))
    saved = arrays["parameter_names"].tolist(), arrays["parameter_shapes"].tolist()
    if saved != (names, shapes) or theta.shape != (size,):
        raise DataError("the parameters do not fit the module's", at=str(path), remedy="train again")
    if str(theta.dtype) != module.DTYPE:
        problem = f"the parameters are {theta.dtype}, the module's are {module.DTYPE}"
        raise DataError(problem, at=str(path), remedy="train again")
    if not np.isfinite(theta).all():
        raise DataError("a saved parameter is not a finite number", at=str(path), remedy="train again")
    return theta


def _statistics(arrays: Mapping[str, NDArray[Any]]) -> Standardization:
    names = arrays["standardized"].tolist()
    means = {name: arrays[f"mean.{name}"] for name in names}
    return Standardization(means, {name: arrays[f"deviation.{name}"] for name in names})


def _records(arrays: Mapping[str, NDArray[Any]]) -> tuple[EpochRecord, ...]:
    fields = arrays["history_fields"].tolist()
    rows = [dict(zip(fields, row, strict=True)) for row in arrays["history"].tolist()]
    return tuple(_record(row) for row in rows)


def _record(row: dict[str, float]) -> EpochRecord:
    def measured(name: str) -> float | None:
        return None if np.isnan(row[name]) else row[name]

    return EpochRecord(
        epoch=int(row["epoch"]),
        loss=row["loss"],
        validation_loss=measured("validation_loss"),
        accuracy=measured("accuracy"),
        validation_accuracy=measured("validation_accuracy"),
        seconds=row["seconds"],
    )
