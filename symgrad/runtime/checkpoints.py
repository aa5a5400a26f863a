"""Checkpoints: what was trained in a file, for whoever has that and this module."""

import json
import os
from typing import Any, NamedTuple

import numpy as np

from symgrad.runtime.array_archives import _difference, arrays_of, read_archive, write_archive
from symgrad.runtime.given_arrays import _fitting
from symgrad.runtime.given_rows import _inputs_of_rows
from symgrad.runtime.parameter_vectors import _check_params, _copy_of_state, init_state, unflatten
from symgrad.runtime.smallest_model import (
    DTYPE,
    INPUTS,
    NETWORK_SHA256,
    SCORED,
    SHAPES,
    SIZE,
    SPEC_NAME,
    SPEC_SHA256,
    SYMGRAD_VERSION,
    TARGETS,
    TASK,
    Params,
    State,
    predict,
)

CHECKPOINT_FORMAT = 2
_FACTS = (
    "format_version",
    "spec_name",
    "spec_sha256",
    "network_sha256",
    "symgrad_version",
    "epoch",
    "preparation",
)


class Trained(NamedTuple):
    """What a checkpoint holds: parameters, the optimiser's state after so many epochs, facts about the data.

    The state is None where the file has none, or that of another optimiser. `params` take inputs as they
    were trained on; `predict` and `labels` take them as they stand in the data. `more` are the other arrays.
    """

    params: Params
    state: State | None
    epoch: int
    preparation: dict[str, Any]
    more: dict[str, np.ndarray]

    def __repr__(self) -> str:
        return f"<Trained {SPEC_NAME}: {SIZE:,} numbers in {len(self.params)} parameters, epoch {self.epoch}>"

    def predict(self, *inputs: Any) -> Any:
        """The prediction, of rows treated as those in training were.

        Give an array for each input, or one table of the columns trained on: a dict or data frame of columns,
        or a list of dicts. Words become the same numbers, missing values are filled in, numbers standardised.
        Inputs that are not in PREDICTED_FROM are left out, or arrays of all are given.
        """
        extents: dict[str, int] = {}
        given = _inputs_of_rows(inputs, self.preparation).items()
        found = {n: _prepared(n, value, self.preparation, extents) for n, value in given}
        return predict(self.params, *map(found.get, INPUTS))

    def labels(self, *inputs: Any) -> np.ndarray:
        """What is predicted to be: names of classes where they are known, else their numbers."""
        if TASK not in ("classes", "binary", "sign"):
            raise ValueError("labels: this network predicts numbers, not classes")
        found = np.asarray(self.predict(*inputs))
        numbers = found.argmax(-1) if TASK == "classes" else (found > (0.5 if TASK == "binary" else 0)) * 1
        if TASK != "classes" and numbers.ndim > 1 and numbers.shape[-1] == 1:
            numbers = numbers[..., 0]
        names = self.preparation.get("targets", {}).get(SCORED or TARGETS[0], {}).get("classes")
        if names:
            return np.asarray(np.asarray(names)[numbers])
        return np.asarray(2 * numbers - 1 if TASK == "sign" else numbers)


def _prepared(name: str, value: Any, preparation: dict[str, Any], extents: dict[str, int]) -> Any:
    """An input as the network was trained on it: missing numbers filled, then standardised."""
    record = preparation.get("inputs", {}).get(name, {})
    if "mean" not in record and "fill" not in record:
        return value
    rows = _fitting(name, value, extents, np.float64)
    if "fill" in record:
        rows = np.where(np.isnan(rows), record["fill"], rows)
    if "mean" in record:
        rows = (rows - np.array(record["mean"])) / np.array(record["deviation"])
    with np.errstate(over="ignore"):  # what is too large is refused by its place
        return rows.astype(DTYPE)


def save(
    path: str | os.PathLike[str],
    params: Params,
    state: State | None = None,
    *,
    epoch: int = 0,
    preparation: dict[str, Any] | None = None,
    **more: Any,
) -> None:
    """Write a checkpoint, an NPZ file; an earlier one is replaced whole or not at all. Raises OSError.

    Its keys: `params.` and the name of a parameter, `state.` and the name of a state; `epoch`, how many were
    trained; `preparation`, JSON of what was learnt about the data: `fill`, `mean`, `deviation` of `inputs`,
    names of the `classes` of `targets`; `spec_name`, `spec_sha256`, `network_sha256`, `symgrad_version`,
    `format_version`; `sha256`, of all this. `more` are arrays under keys of your own.
    """
    _check_params(params)
    state_arrays = {} if state is None else _copy_of_state(state)._asdict()
    for key in filter(_is_own, more):
        raise ValueError(f"{key}: this key has a meaning of its own")
    names = (SPEC_NAME, SPEC_SHA256, NETWORK_SHA256, SYMGRAD_VERSION)
    facts = {
        **dict(zip(_FACTS, (CHECKPOINT_FORMAT, *names, epoch, json.dumps(preparation or {})), strict=True)),
        **{f"params.{name}": array for name, array in params._asdict().items()},
        **{f"state.{name}": array for name, array in state_arrays.items()},
    }
    write_archive(path, {key: np.asarray(value) for key, value in (more | facts).items()})


def load(path: str | os.PathLike[str]) -> Trained:
    """What was trained, from a checkpoint of this network, whatever its spec says of training.

    Raises OSError, and ValueError for what is no whole checkpoint, or one of another network: it says in
    which names and shapes that differs.
    """
    try:
        arrays = read_archive(path)
        params = _restored(arrays)
        epoch, preparation = int(arrays["epoch"]), json.loads(str(arrays["preparation"]))
        more = {key: arrays[key] for key in arrays if not _is_own(key)}
        return Trained(params, _restored_state(arrays, params), epoch, preparation, more)
    except KeyError as error:
        raise ValueError(f"{os.fspath(path)}: it is no checkpoint: {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None


def _is_own(key: str) -> bool:
    return key in (*_FACTS, "sha256", "file") or key.startswith(("params.", "state."))


def _restored(arrays: dict[str, np.ndarray]) -> Params:
    version, found = int(arrays["format_version"]), arrays_of(arrays, "params")
    if version != CHECKPOINT_FORMAT:
        raise ValueError(f"a checkpoint of format {version}; this module reads {CHECKPOINT_FORMAT}")
    difference = _difference(found, SHAPES)
    if not difference and str(arrays["network_sha256"]) != NETWORK_SHA256:
        difference = "the names and shapes are the same, but not the equations"
    if difference:
        raise ValueError(f"a checkpoint of another network, '{arrays['spec_name']}': {difference}")
    params = unflatten(np.empty(SIZE, DTYPE))
    _fill("params", params, found)
    return params


def _restored_state(arrays: dict[str, np.ndarray], params: Params) -> State | None:
    state, found = init_state(params), arrays_of(arrays, "state")
    if _difference(found, {name: array.shape for name, array in state._asdict().items()}):
        return None
    _fill("state", state, found)
    return state


def _fill(group: str, arrays: Any, found: dict[str, np.ndarray]) -> None:
    """Copy the arrays of a checkpoint into those of Params or State."""
    for name, array in arrays._asdict().items():
        given, wanted = found[name].dtype, array.dtype
        if given.kind != wanted.kind:
            raise ValueError(f"{group}.{name} holds {given}, not {wanted}")
        with np.errstate(over="ignore"):
            array[...] = found[name]
        if not np.isfinite(array).all():
            raise ValueError(f"{group}.{name} holds a number that is not finite in {wanted}")
