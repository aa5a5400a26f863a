"""Normalisations at inference, and the scaling of inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symgrad.exchange.onnx_import.read_formulas import (
    ATOM,
    POWER,
    PRODUCT,
    SUM,
    AlongAxis,
    ReadValue,
    TensorEntry,
    moved,
    number_text,
)
from symgrad.exchange.onnx_import.reduction_operators import with_axes
from symgrad.exchange.onnx_import.spec_builder import base_name

if TYPE_CHECKING:
    from symgrad.exchange.onnx_import.onnx_graph import OnnxNode
    from symgrad.exchange.onnx_import.spec_builder import SpecBuilder


def batch_norm(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    """At inference an affine map of each channel, by the mean and deviation that training left."""
    x = build.input(node, 0)
    arrays = [build.array(node, number) for number in range(1, 5)]
    if node.attributes.get("training_mode") or any(a is None or a.ndim != 1 for a in arrays):
        node.refuse("is one that still measures", "expected one for inference, with arrays in the file")
    wanted = base_name(node.outputs[0], node)
    scale, shift, mean, variance = (np.asarray(array) for array in arrays)
    deviation = np.sqrt(variance.astype(np.float64) + node.attributes.get("epsilon", 1e-5))
    rank = len(x.shape)
    if rank < 2 or x.shape[1] != len(mean):
        node.refuse(f"has {len(mean)} channels for a shape of {list(x.shape)}")

    def channel(where: dict[str, np.ndarray], name: str, array: np.ndarray) -> ReadValue:
        found = build.given(where, name, array.astype(build.graph.float_type))
        if isinstance(found.tree, TensorEntry) and not found.tree.indices:
            return ReadValue((1,) * rank, found.tree)
        sizes = (1, len(array), *(1,) * (rank - 2))
        return ReadValue(sizes, moved(found.tree, {0: AlongAxis(1)}))

    operands = [
        x,
        channel(build.constants, f"{wanted}_mean", mean),
        channel(build.constants, f"{wanted}_deviation", deviation),
        channel(build.parameters, node.inputs[1], scale),
        channel(build.parameters, node.inputs[2], shift),
    ]
    return build.applied(node, "({} - {}) / {} * {} + {}", operands, SUM, (SUM, PRODUCT, POWER, PRODUCT, SUM))


def layer_norm(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    x = build.input(node, 0)
    rank, wanted = len(x.shape), base_name(node.outputs[0], node)
    axes = tuple(range(node.attributes.get("axis", -1) % rank, rank))
    x = build.stored(x, f"{wanted}_in")
    mean = with_axes(build.reduced("mean", x, axes, wanted), axes, rank)
    centred = build.stored(
        build.applied(node, "{} - {}", [x, mean], SUM, (SUM, PRODUCT)), f"{wanted}_centred"
    )
    square = build.applied(node, "{}**2", [centred], POWER, (ATOM,))
    variance = with_axes(build.reduced("mean", square, axes, f"{wanted}_square"), axes, rank)
    eps = number_text(float(str(np.float32(node.attributes.get("epsilon", 1e-5)))))
    operands = [centred, variance, build.input(node, 1)]
    found = build.applied(
        node, f"{{}} / sqrt({{}} + {eps}) * {{}}", operands, PRODUCT, (PRODUCT, SUM, PRODUCT)
    )
    if len(node.inputs) < 3 or not node.inputs[2]:
        return found
    return build.applied(node, "{} + {}", [found, build.input(node, 2)], SUM, (SUM, SUM))


def scaler(build: SpecBuilder, node: OnnxNode) -> ReadValue:
    """(x − offset)·scale, as scikit-learn's scalers are written."""
    found = build.input(node, 0)
    for name, form, needs in (
        ("offset", "{} - {}", (SUM, PRODUCT)),
        ("scale", "{} * {}", (PRODUCT, PRODUCT)),
    ):
        array = np.asarray(node.attributes.get(name, ()), build.graph.float_type)
        if array.size:
            by = build.given(build.constants, f"{base_name(node.outputs[0], node)}_{name}", array)
            found = build.applied(node, form, [found, by], min(needs), needs)
    return found
