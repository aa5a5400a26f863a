"""From a program and its parameters to an ONNX model: data as they stand go in, the prediction comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, helper
from onnx.checker import check_model

from symgrad.compiler.targets.onnx.operators import OPSET, Operators
from symgrad.compiler.targets.onnx.tensor_equations import Equations
from symgrad.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from onnx import ModelProto, ValueInfoProto

    from symgrad.calculus.program import Program, Tensor
    from symgrad.spec.model import Model

IR_VERSION = 9
LABELS = "label"
SCALED = "scaled"


def onnx_model(
    model: Model,
    program: Program,
    params: Mapping[str, NDArray[Any]],
    scaling: Mapping[str, tuple[NDArray[Any], NDArray[Any]]],
    metadata: Mapping[str, str],
) -> ModelProto:
    """The network with these parameters. ONNX's own checker has passed it.

    `scaling` gives for an input the mean and the deviation it was standardised by; the graph does it. Where
    rows belong to one of several classes, a second output holds the number of the likeliest.

    Raises:
        ModuleError: an equation that ONNX has no operators for.
    """
    spec, ops = model.spec, Operators(model.spec.dtype)
    wanted = program.prediction or program.outputs
    needed = program.needed(wanted)
    values = {c.name: np.array(c.values) for c in spec.constants} | dict(params)
    for tensor in (*program.of_kind("constant"), *program.of_kind("parameter")):
        if tensor.name in needed:
            shape = tuple(axis.size or 1 for axis in tensor.axes)
            ops.given(tensor.name, np.asarray(values[tensor.name], spec.dtype).reshape(shape))
    scaling = {name: by for name, by in scaling.items() if name in needed}
    results = {t.name: t.name for t in program.declared} | _scaled(ops, scaling)
    equations = Equations(program, ops, results)
    for equation in program.equations:
        if equation.target in needed:
            equations.add(equation)
    outputs = [_output(ops, results, program.tensor[name]) for name in wanted]
    if model.task == "classes" and len(wanted) == 1:
        outputs.append(_label(ops, results, program.tensor[wanted[0]]))
    inputs = [_value(tensor, ops) for tensor in program.of_kind("input")]
    doc = f"{spec.name}: {', '.join(wanted)} from {', '.join(t.name for t in program.of_kind('input'))}"
    graph = ops.graph(spec.name, inputs, outputs, doc)
    made = helper.make_model(
        graph,
        producer_name="symgrad",
        producer_version=VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(made, {"spec": spec.name, "spec_sha256": spec.sha256, **metadata})
    check_model(made, full_check=True)
    return made


def _scaled(ops: Operators, scaling: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]) -> dict[str, str]:
    """Inputs as the network takes them."""
    found = {}
    for name, (mean, deviation) in scaling.items():
        ops.stem = name
        for what, values in (("mean", mean), ("deviation", deviation)):
            ops.given(f"{name}/{what}", values.astype(ops.dtype))
        found[name] = ops.of("Div", ops.of("Sub", name, f"{name}/mean"), f"{name}/deviation")
    return found


def _value(tensor: Tensor, ops: Operators) -> ValueInfoProto:
    element = TensorProto.INT64 if tensor.is_integer else ops.element
    return helper.make_tensor_value_info(tensor.name, element, [axis.label for axis in tensor.axes])


def _output(ops: Operators, results: Mapping[str, str], tensor: Tensor) -> ValueInfoProto:
    ops.named(tensor.name, results[tensor.name])
    return _value(tensor, ops)


def _label(ops: Operators, results: Mapping[str, str], tensor: Tensor) -> ValueInfoProto:
    ops.named(LABELS, ops.of("ArgMax", results[tensor.name], axis=-1, keepdims=0))
    labels = [axis.label for axis in tensor.axes[:-1]]
    return helper.make_tensor_value_info(LABELS, TensorProto.INT64, labels)
