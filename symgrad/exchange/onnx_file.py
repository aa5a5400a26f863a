"""ONNX: the network with its parameters and the scaling of its inputs, for ONNX Runtime and others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from onnxruntime import InferenceSession

from symgrad.compiler.targets.onnx.onnx_model import onnx_model
from symgrad.errors import ModuleError, SymgradError
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from symgrad.exchange.learnt import Learnt
    from symgrad.pipeline import Stages
    from symgrad.spec.model import Model

MOST_DIFFERENCE = 1e-4
"""Of a value of about 1: rounding in single precision stays below, another network does not."""
_ROWS = 5
_TYPES = {"tensor(int64)": np.int64, "tensor(float)": np.float32, "tensor(double)": np.float64}


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
        name: (tensor.mean, tensor.deviation)
        for name, tensor in prepared.items()
        if tensor.mean is not None and tensor.deviation is not None
    }
    metadata = {"preparation": json.dumps(learnt.preparation.to_json())}
    model = onnx_model(stages.model, stages.stable_roots, learnt.params, scaling, metadata)
    data = model.SerializeToString()
    return data, _difference(data, stages.model, learnt)


def _difference(content: bytes, model: Model, learnt: Learnt) -> float | None:
    """How far the answers are from the spec's own. Raises ModuleError where they differ."""
    try:
        data = draw(model, "data", 0, batch=_ROWS).inputs
    except SymgradError:
        return None
    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    given = {i.name: np.asarray(data[i.name], _TYPES[i.type]) for i in session.get_inputs()}
    taken = {n: learnt.preparation.input(n, v, model.spec.dtype) for n, v in data.items()}
    right = interpret(model, {**taken, **learnt.params}, DOUBLE).prediction
    found = max(map(_distance, session.run(None, given), right), default=0.0)
    if not found <= MOST_DIFFERENCE:
        problem = f"ONNX Runtime's answers differ by {found:.1e} from the spec's"
        raise ModuleError(problem, at=model.spec.name, remedy="please report this spec")
    return found


def _distance(answer: NDArray[Any], right: NDArray[Any]) -> float:
    """Not a number where only one of two entries is one."""
    same = np.isnan(answer) & np.isnan(right) | (answer == right)
    with np.errstate(invalid="ignore"):
        return float(np.max(np.where(same, 0.0, np.abs(answer - right) / (1 + np.abs(right))), initial=0.0))
