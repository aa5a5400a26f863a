"""Checkpoints: what was trained in a file, for whoever has that and this module."""

import json
import os
from typing import Any, NamedTuple

import numpy as np

from symgrad.runtime.array_archives import _difference, _group, _read_archive, _write_archive
from symgrad.runtime.given_arrays import _fitting
from symgrad.runtime.parameter_vectors import _check_params, _check_state, init_state, unflatten
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


class Trained(NamedTuple):
    """What a checkpoint holds: parameters, the optimiser's state after so many epochs, facts about the data.

    The state is None where the file has none, or that of another optimiser. `params` take inputs as they
    were trained on; `predict` and `labels` take them as they stand in the data.
    """

    params: Params
    state: State | None
    epoch: int
    learnt: dict[str, Any]

    def predict(self, *inputs: Any) -> Any:
        """The prediction, of inputs standardised as those in training were."""
        if len(inputs) != len(INPUTS):
            raise TypeError(f"predict: expected {len(INPUTS)} inputs, {', '.join(INPUTS)}; got {len(inputs)}")
        extents: dict[str, int] = {}
        given = zip(INPUTS, inputs, strict=True)
        return predict(self.params, *(_prepared(n, value, self.learnt, extents) for n, value in given))

    def labels(self, *inputs: Any) -> np.ndarray:
        """What is predicted to be: names of classes where they are known, else their numbers."""
        if TASK not in ("classes", "binary", "sign"):
            raise ValueError("labels: this network predicts numbers, not classes")
        found = np.asarray(self.predict(*inputs))
        numbers = found.argmax(-1) if TASK == "classes" else (found > (0.5 if TASK == "binary" else 0)) * 1
        names = self.learnt.get("classes", {}).get(SCORED or TARGETS[0])
        if names is not None:
            return np.asarray(np.asarray(names)[numbers])
        return np.asarray(2 * numbers - 1 if TASK == "sign" else numbers)


def _prepared(name: str, value: Any, learnt: dict[str, Any], extents: dict[str, int]) -> Any:
    """An input as the network was trained on it."""
    if name not in learnt.get("mean", {}):
        return value
    mean, deviation = (np.asarray(learnt[what][name], np.float64) for what in ("mean", "deviation"))
    return ((_fitting(name, value, extents, np.float64) - mean) / deviation).astype(DTYPE)


def save(
    path: str | os.PathLike[str],
    params: Params,
    state: State | None = None,
    *,
    epoch: int = 0,
    learnt: dict[str, Any] | None = None,
    **more: Any,
) -> None:
    """Write a checkpoint, an NPZ file; an earlier one is replaced whole or not at all. Raises OSError.

    Its keys: `params.` and the name of a parameter, `state.` and the name of a state; `epoch`, how many were
    trained; `learnt`, JSON of what was learnt about the data: `mean` and `deviation` by input, names of
    `classes` by target; `spec_name`, `spec_sha256`, `network_sha256`, `symgrad_version`, `format_version`;
    `sha256`, of all this. `more` are arrays under keys of your own.
    """
    _check_params(params)
    if state is not None:
        _check_state(state)
    facts = {
        "format_version": CHECKPOINT_FORMAT,
        "spec_name": SPEC_NAME,
        "spec_sha256": SPEC_SHA256,
        "network_sha256": NETWORK_SHA256,
        "symgrad_version": SYMGRAD_VERSION,
        "epoch": epoch,
        "learnt": json.dumps(learnt or {}),
        **{f"params.{name}": array for name, array in params._asdict().items()},
        **({} if state is None else {f"state.{name}": array for name, array in state._asdict().items()}),
    }
    _write_archive(path, {key: np.asarray(value) for key, value in (more | facts).items()})


def load(path: str | os.PathLike[str]) -> Trained:
    """What was trained, from a checkpoint of this network, whatever its spec says of training.

    Raises OSError, and ValueError for what is no whole checkpoint, or one of another network: it says in
    which names and shapes that differs.
    """
    try:
        arrays = _read_archive(path)
        params = _restored(arrays)
        epoch, learnt = int(arrays["epoch"]), json.loads(str(arrays["learnt"]))
        return Trained(params, _restored_state(arrays, params), epoch, learnt)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None


def _restored(arrays: dict[str, np.ndarray]) -> Params:
    version, found = int(arrays["format_version"]), _group(arrays, "params")
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
    state, found = init_state(params), _group(arrays, "state")
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
