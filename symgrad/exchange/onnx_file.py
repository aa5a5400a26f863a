"""ONNX: the network with its parameters and the scaling of its inputs, for ONNX Runtime and others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from onnxruntime import InferenceSession

from symgrad.compiler.targets.onnx.onnx_model import Scaling, onnx_model
from symgrad.errors import DataWarning, ModuleError, SymgradError, warn
from symgrad.exchange.answers import MOST_DIFFERENCE, TYPES, distance
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from symgrad.exchange.learnt import Learnt
    from symgrad.pipeline import Stages
    from symgrad.spec.model import Model
    from symgrad.training.dataset.preparation import TensorPreparation

_ROWS = 5


def content(stages: Stages, learnt: Learnt) -> tuple[bytes, float | None]:
    """The content of an ONNX file, and how far ONNX Runtime's answers are from the spec's.

    That is the largest difference on random data, in units of 1 plus the size of the value; None where the
    spec gives no finite numbers on random data. Inputs are as they stand in the data once words are numbers;
    the graph standardises them. What was learnt of the data is in the metadata, JSON under `preparation`.

    Raises:
        ModuleError: an equation has no operators there, or the answers differ.
    """
    prepared = learnt.preparation.inputs
    scaling = {
        name: Scaling(tensor.fill, tensor.mean, tensor.deviation)
        for name, tensor in prepared.items()
        if tensor.fill is not None or tensor.mean is not None
    }
    for name, by in scaling.items():
        _warn_of_lost_digits(name, by, stages.model.spec.dtype)
    metadata = {"preparation": json.dumps(learnt.preparation.to_json())}
    model = onnx_model(stages.model, stages.in_order, learnt.params, scaling, metadata)
    data = model.SerializeToString()
    return data, _difference(data, stages.model, learnt)


def _warn_of_lost_digits(name: str, by: Scaling, dtype: str) -> None:
    """The graph takes inputs in `dtype`, which `predict` scales in double precision before they are cast."""
    if by.mean is None or by.deviation is None:
        return
    lost = float(np.max(np.abs(by.mean) / by.deviation, initial=0.0)) * float(np.finfo(dtype).eps)
    if lost > MOST_DIFFERENCE:
        problem = (
            f"'{name}' varies in digits that {dtype} does not hold: rounded to it, they are {lost:.0e} off"
        )
        remedy = "subtract an offset in the data, or train in float64"
        warn(DataWarning(f"{problem} after scaling", at="ONNX", remedy=remedy))


def _difference(content: bytes, model: Model, learnt: Learnt) -> float | None:
    """How far the answers are from the spec's own. Raises ModuleError where they differ."""
    try:
        drawn = draw(model, "data", 0, batch=_ROWS).inputs
    except SymgradError:
        return None
    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    kinds = {i.name: TYPES[i.type] for i in session.get_inputs()}
    known = learnt.preparation
    given = {n: _as_in_data(drawn[n], known.inputs.get(n)).astype(kind) for n, kind in kinds.items()}
    taken = {n: known.input(n, values, model.spec.dtype) for n, values in given.items()}
    right = interpret(model, {**drawn, **taken, **learnt.params}, DOUBLE).prediction
    found = max(map(distance, session.run(None, given), right), default=0.0)
    if not found <= MOST_DIFFERENCE:
        problem = f"ONNX Runtime's answers differ by {found:.1e} from the spec's"
        raise ModuleError(problem, at=model.spec.name, remedy="please report this spec")
    return found


def _as_in_data(taken: NDArray[Any], prepared: TensorPreparation | None) -> NDArray[Any]:
    """Rows that look like those in the data where the network takes such, one with a missing value."""
    if prepared is None:
        return taken
    values = taken
    if prepared.mean is not None and prepared.deviation is not None:
        values = taken * prepared.deviation + prepared.mean
    if prepared.fill is not None:
        values = np.array(values, np.float64)
        values[0].flat[:1] = np.nan
    return values
