"""Checkpoints: parameters, optimiser state and preparation of the data in one NPZ file, never pickled."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import DataError, DataWarning, warn
from symgrad.files import write_whole
from symgrad.training.dataset.array_files import READ_ERRORS, read_npz
from symgrad.training.dataset.known_rows import given_inputs
from symgrad.training.dataset.preparation import Preparation
from symgrad.training.named_labels import named_labels

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from types import ModuleType

    from numpy.typing import NDArray

FORMAT_VERSION = 2
AGAIN = "train again"


@dataclass(frozen=True)
class Checkpoint:
    """Enough to predict and to train on: the Params `fitted` and the module's `state` after `epoch` epochs.

    `preparation` was measured on the rows that `seed` left for training. `fitted` takes inputs as they were
    trained on; `predict` takes them as they stand in the data.
    """

    fitted: Any
    state: Any
    preparation: Preparation
    epoch: int
    seed: int
    module: ModuleType = field(repr=False, compare=False)

    @property
    def params(self) -> Any:
        """The parameters, as the module's Params; warns that they take standardised inputs, where they do."""
        if self.preparation.is_standardized:
            problem = "these parameters take inputs as they were trained on, standardised"
            remedy = "`predict` of the run or checkpoint takes inputs as they stand in the data"
            warn(DataWarning(problem, at=self.module.SPEC_NAME, remedy=remedy))
        return self.fitted

    def predict(self, *inputs: Any) -> Any:
        """The module's prediction for inputs as they stand in the data: in the spec's order, or a data frame.

        Raises:
            DataError: an input is missing, does not have the shape or columns of those in training, or holds
                a category that was not there in training, or no value.
        """
        dtype = np.dtype(self.module.DTYPE)
        arrays = given_inputs(self.preparation, self.module.INPUTS, inputs, dtype)
        return self.module.predict(self.fitted, *arrays)

    def labels(self, *inputs: Any) -> NDArray[Any]:
        """The class of each row as the data call it, for inputs that `predict` takes.

        Raises:
            DataError: as `predict` does, and where the network predicts values.
        """
        return named_labels(self.module, self.preparation, self.predict(*inputs))


def save_checkpoint(path: Path, module: ModuleType, checkpoint: Checkpoint) -> None:
    """Write the checkpoint with the module's identity; an earlier file is replaced whole or not at all.

    Raises DataError when the file cannot be written.
    """
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **_arrays(module, checkpoint))
    write_whole(path, content.getbuffer())


def _arrays(module: ModuleType, checkpoint: Checkpoint) -> dict[str, NDArray[Any]]:
    """Array names with a prefix: `params.W`, `state.m`; facts without."""
    groups: dict[str, Mapping[str, NDArray[Any]]] = {
        "params": checkpoint.fitted._asdict(),
        "state": checkpoint.state._asdict(),
    }
    return {
        "format_version": np.array(FORMAT_VERSION),
        "spec_name": np.array(module.SPEC_NAME),
        "spec_sha256": np.array(module.SPEC_SHA256),
        "symgrad_version": np.array(module.SYMGRAD_VERSION),
        "epoch": np.array(checkpoint.epoch),
        "seed": np.array(checkpoint.seed),
        "preparation": np.array(json.dumps(checkpoint.preparation.to_json())),
        **{f"{group}.{name}": np.asarray(a) for group, named in groups.items() for name, a in named.items()},
    }


def load_checkpoint(path: str | os.PathLike[str], module: ModuleType) -> Checkpoint:
    """The checkpoint of a module generated from the same spec.

    Raises DataError for a missing, cut or pickled file, another format or spec, and for parameters
    or state whose names, shapes or dtypes are not the module's.
    """
    arrays, at = _read(Path(path)), str(path)
    try:
        _check_origin(at, module, str(arrays["spec_sha256"]), int(arrays["format_version"]))
        params = module.init_params(seed=0)
        state = module.init_state(params)
        saved_params = _fill(at, "params", params, arrays)
        vector = np.array(module.flatten(params))
        vector[:] = np.concatenate([values.ravel() for values in saved_params])
        return Checkpoint(
            fitted=module.unflatten(vector),
            state=type(state)(*_fill(at, "state", state, arrays)),
            preparation=Preparation.from_json(json.loads(str(arrays["preparation"]))),
            epoch=int(arrays["epoch"]),
            seed=int(arrays["seed"]),
            module=module,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"is not a symgrad checkpoint: {error}", at=at, remedy=AGAIN) from error


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        return read_npz(path)
    except FileNotFoundError as error:
        raise DataError("there is no such checkpoint", at=str(path), remedy="train first") from error
    except READ_ERRORS as error:
        remedy = "it may be cut short or not a checkpoint; train again"
        raise DataError(f"the checkpoint cannot be read: {error}", at=str(path), remedy=remedy) from error


def _check_origin(at: str, module: ModuleType, sha256: str, version: int) -> None:
    if version != FORMAT_VERSION:
        problem = f"the checkpoint has format {version}, this symgrad reads {FORMAT_VERSION}"
        raise DataError(problem, at=at, remedy=AGAIN)
    if sha256 != module.SPEC_SHA256:
        problem = f"the checkpoint belongs to another spec (SHA-256 {sha256[:12]}, "
        problem += f"the module's is {module.SPEC_SHA256[:12]})"
        raise DataError(problem, at=at, remedy="train again, or use the spec it was trained with")


def _fill(at: str, group: str, model: Any, arrays: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """The saved arrays in the order of the NamedTuple `model`, once they fit it and are finite."""
    saved = _group(group, arrays)
    wanted = {name: np.asarray(values) for name, values in model._asdict().items()}
    if saved.keys() != wanted.keys():
        problem = f"the checkpoint holds {group} {_listed(saved)}, the module has {_listed(wanted)}"
        raise DataError(problem, at=at, remedy=AGAIN)
    for name, values in wanted.items():
        found = saved[name]
        if (found.shape, found.dtype) != (values.shape, values.dtype):
            problem = f"{group}.{name} is {_kind(found)}, the module's is {_kind(values)}"
            raise DataError(problem, at=at, remedy=AGAIN)
        if not np.isfinite(found).all():
            raise DataError(f"{group}.{name} holds a number that is not finite", at=at, remedy=AGAIN)
    return [saved[name] for name in wanted]


def _group(group: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    prefix = f"{group}."
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(names) or "nothing"


def _kind(values: NDArray[Any]) -> str:
    return f"{values.dtype} [{', '.join(map(str, values.shape))}]"
