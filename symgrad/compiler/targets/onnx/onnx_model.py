"""From a program and its parameters to an ONNX model: data as they stand go in, the prediction comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from onnx import TensorProto, helper
from onnx.checker import check_model

from symgrad.compiler.targets.onnx.operators import OPSET, Operators
from symgrad.compiler.targets.onnx.recurrence_scans import add_recurrence
from symgrad.compiler.targets.onnx.tensor_equations import Equations
from symgrad.passes.recurrences import Recurrence, in_order
from symgrad.spec.reads import predicted_from
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


class Scaling(NamedTuple):
    """What is done to the rows of an input before the network takes them; None where it is not."""

    fill: NDArray[Any] | None
    mean: NDArray[Any] | None
    deviation: NDArray[Any] | None


def onnx_model(
    model: Model,
    program: Program,
    params: Mapping[str, NDArray[Any]],
    scaling: Mapping[str, Scaling],
    metadata: Mapping[str, str],
) -> ModelProto:
    """The network with these parameters. ONNX's own checker has passed it.

    `scaling` gives for an input what stood for missing values and by what it was standardised; the graph
    does it. Where rows belong to one of several classes, a second output holds the number of the likeliest.

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
    asked = predicted_from(model)
    declared = (t.name for t in program.declared if t.kind != "input" or t.name in asked)
    results = {name: name for name in declared} | _scaled(ops, scaling)
    equations = Equations(program, ops, results)
    for part in in_order(program, [e for e in program.equations if e.target in needed]):
        if isinstance(part, Recurrence):
            add_recurrence(equations, part)
        else:
            equations.add(part)
    outputs = [_output(ops, results, program.tensor[name]) for name in wanted]
    if model.task == "classes" and len(wanted) == 1:
        outputs.append(_label(ops, _label_name(program), results[wanted[0]], program.tensor[wanted[0]]))
    inputs = [_value(tensor, ops) for tensor in program.of_kind("input") if tensor.name in asked]
    doc = f"{spec.name}: {', '.join(wanted)} from {', '.join(asked)}"
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


def _scaled(ops: Operators, scaling: Mapping[str, Scaling]) -> dict[str, str]:
    """Inputs as the network takes them: scaled in double precision, as large means need it."""
    found = {}
    for name, by in scaling.items():
        ops.stem = name
        for what, values in by._asdict().items():
            if values is not None:
                ops.given(f"{name}/{what}", values.astype(np.float64))
        value = ops.of("Cast", name, to=TensorProto.DOUBLE)
        if by.fill is not None:
            value = ops.of("Where", ops.of("IsNaN", value), f"{name}/fill", value)
        if by.mean is not None:
            value = ops.of("Div", ops.of("Sub", value, f"{name}/mean"), f"{name}/deviation")
        found[name] = ops.of("Cast", value, to=ops.element)
    return found


def _value(tensor: Tensor, ops: Operators) -> ValueInfoProto:
    element = TensorProto.INT64 if tensor.is_integer else ops.element
    return helper.make_tensor_value_info(tensor.name, element, [axis.label for axis in tensor.axes])


def _output(ops: Operators, results: Mapping[str, str], tensor: Tensor) -> ValueInfoProto:
    ops.named(tensor.name, results[tensor.name])
    return _value(tensor, ops)


def _label_name(program: Program) -> str:
    """`label`, or where the spec calls something so, that with as many strokes as it takes."""
    name = LABELS
    while name in program.tensor:
        name += "_"
    return name


def _label(ops: Operators, name: str, scores: str, tensor: Tensor) -> ValueInfoProto:
    ops.named(name, ops.of("ArgMax", scores, axis=-1, keepdims=0))
    labels = [axis.label for axis in tensor.axes[:-1]]
    return helper.make_tensor_value_info(name, TensorProto.INT64, labels)
