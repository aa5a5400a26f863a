"""A hand-written module with the stable names of an emitted one, and specs for it: a linear model with
momentum, whose learning rate decays with the epoch, for each of the four tasks."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from symgrad.compiler.targets.numba.runtime import merged_imports, runtime_part
from symgrad.errors import Position
from symgrad.spec.language.syntax import Call
from symgrad.spec.model import DataSpec, Spec, StopSpec, TensorSpec, TrainSpec
from symgrad.training.dataset.data import Dataset
from symgrad.training.train import train

if TYPE_CHECKING:
    from pathlib import Path

AT = Position("stub.yaml", 1, 1)
ROWS = 43
RUNTIME = ("given_arrays", "given_hyper", "parameter_vectors", "whole_files", "array_archives", "checkpoints")


class Params(NamedTuple):
    W: np.ndarray
    b: np.ndarray


class State(NamedTuple):
    step: np.ndarray
    velocity: np.ndarray


def make_train(**changes: Any) -> TrainSpec:
    plain = TrainSpec(
        data=DataSpec("data.csv", (), AT),
        validation=None,
        standardize=False,
        optimizer=Call("sgd", (), (), AT),
        schedule=None,
        batch_size=8,
        shuffle="each_epoch",
        epochs=4,
        stop=StopSpec(),
        clip_norm=None,
        seed=0,
    )
    return replace(plain, **changes)


def make_spec(
    folder: Path | None = None,
    *,
    features: int = 2,
    target_axes: tuple[int | str, ...] = ("batch",),
    classes: int | None = 3,
    dtype: str = "float64",
    inputs: tuple[TensorSpec, ...] | None = None,
    **train: Any,
) -> Spec:
    return Spec(
        name="stub",
        dtype=dtype,
        axes=(),
        inputs=(TensorSpec("x", ("batch", features), None, AT),) if inputs is None else inputs,
        targets=(TensorSpec("t", target_axes, classes, AT),),
        constants=(),
        parameters=(),
        functions=(),
        layers=(),
        equations=(),
        outputs=(),
        loss=None,
        gradients=(),
        manual=(),
        train=make_train(**train),
        sha256="a" * 64,
        path=folder / "stub.yaml" if folder else None,
        at=AT,
    )


def _softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _loss_and_delta(task: str, z: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean loss over the rows and its slope with respect to the scores z [rows, outputs]."""
    n = len(z)
    if task == "classes":
        p = _softmax(z)
        return float(-np.mean(np.log(p[np.arange(n), t]))), (p - np.eye(z.shape[1])[t]) / n
    t = t.reshape(z.shape)
    if task == "binary":
        return float(np.mean(np.logaddexp(0, z) - t * z)), (1 / (1 + np.exp(-z)) - t) / n
    if task == "sign":
        return float(np.mean(np.maximum(1 - t * z, 0))), np.where(t * z < 1, -t, 0) / n
    return float(np.mean((z - t) ** 2)), 2 * (z - t) / n


def make_module(
    spec: Spec, task: str = "classes", outputs: int = 3, learning_rate: float = 0.5
) -> ModuleType:
    """The module; `module.calls` records the (epoch, batch_size, rows, order) of each `train_epoch`."""
    module: Any = ModuleType("stub")
    dtype, features = np.dtype(spec.dtype), spec.inputs[0].axes[1]
    size = features * outputs
    module.calls = []

    def unflatten(vector: np.ndarray) -> Params:
        return Params(vector[:size].reshape(features, outputs), vector[size:])

    def flatten(params: Params) -> np.ndarray:
        vector = params.W.base
        assert vector is not None
        assert vector is params.b.base, "params must be views of one vector"
        return vector

    def init_params(seed: int = 0) -> Params:
        vector = np.zeros(size + outputs, dtype)
        vector[:size] = 0.1 * np.random.default_rng(seed).normal(size=size)
        return unflatten(vector)

    def loss(params: Params, x: np.ndarray, t: np.ndarray) -> float:
        # Compiled code overflows without a warning.
        with np.errstate(all="ignore"):
            return _loss_and_delta(task, x @ params.W + params.b, t)[0]

    def predict(params: Params, x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            z = x @ params.W + params.b
            return {"classes": _softmax, "binary": lambda z: 1 / (1 + np.exp(-z))}.get(task, np.array)(z)

    def train_epoch(params, state, x, t, *, batch_size, order=None, epoch=0):
        module.calls.append((epoch, batch_size, len(x), order))
        order, total = np.arange(len(x)) if order is None else order, 0.0
        assert order.dtype == np.int64
        with np.errstate(all="ignore"):
            for first in range(0, len(order), batch_size):
                rows = order[first : first + batch_size]
                value, delta = _loss_and_delta(task, x[rows] @ params.W + params.b, t[rows])
                gradient = np.concatenate([(x[rows].T @ delta).ravel(), delta.sum(axis=0)])
                state.velocity[:] = 0.9 * state.velocity - learning_rate * 0.9**epoch * gradient
                flatten(params)[:] += state.velocity
                state.step[...] += 1
                total += value * len(rows)
        return total / len(order)

    def loss_and_grad(params: Params, x: np.ndarray, t: np.ndarray) -> tuple[float, Params]:
        with np.errstate(all="ignore"):
            value, delta = _loss_and_delta(task, x @ params.W + params.b, t)
            return value, unflatten(np.concatenate([(x.T @ delta).ravel(), delta.sum(axis=0)]))

    facts: dict[str, Any] = {
        "SPEC_NAME": spec.name,
        "SPEC_SHA256": spec.sha256,
        "SYMGRAD_VERSION": "0.1.0",
        "DTYPE": dtype.type,
        "TASK": task,
        "NETWORK_SHA256": "b" * 64,
        "EPOCHS": 0,
        "IGNORED": {},
        "AXES": {tensor.name: tensor.axes for tensor in (*spec.inputs, *spec.targets)},
        "CLASSES": {},
        "FREE_AXES": ("batch",),
        "BY_COLUMNS": False,
        "SHAPES": {"W": (features, outputs), "b": (outputs,)},
        "SIZE": size + outputs,
        "HYPER": {},
        "LEFT_OUT": (),
        "NEVER_ZERO": (),
        "RANGES": {},
        "_first_states": lambda _: (0.0,),
        "SCORED": "",
        "INPUTS": tuple(tensor.name for tensor in spec.inputs),
        "TARGETS": tuple(tensor.name for tensor in spec.targets),
        "Params": Params,
        "State": State,
    }
    functions: dict[str, Any] = {
        "init_params": init_params,
        "train_epoch": train_epoch,
        "loss": loss,
        "loss_and_grad": loss_and_grad,
        "predict": predict,
        "flatten": flatten,
        "unflatten": unflatten,
    }
    vars(module).update(facts)
    parts = [runtime_part(name) for name in RUNTIME]
    text = "\n".join([*merged_imports(parts, [("numpy", "")]), *(part.text for part in parts)])
    exec(text, vars(module))  # the common part of emitted modules
    vars(module).update(functions)
    return module


def blobs(rows: int = ROWS, seed: int = 7, dtype: str = "float64") -> Dataset:
    """Three classes around three centres; the classes sorted, as in many files."""
    generator = np.random.default_rng(seed)
    labels = np.sort(np.arange(rows) % 3)
    centres = np.array([[0, 0], [3, 0], [0, 3]])
    x = (centres[labels] + generator.normal(scale=0.6, size=(rows, 2))).astype(dtype)
    return Dataset({"x": x}, {"t": labels.astype(np.int64)}, "blobs")


def quiet(spec, module, data=None, **options):
    return train(spec, module, data=data or blobs(), progress=False, **options)


def vector(run) -> np.ndarray:
    return np.concatenate([run.params.W.ravel(), run.params.b])
