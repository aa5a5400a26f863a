"""Files that symgrad exported: what was learnt of the data is in their metadata, scaling in the graph."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from symgrad.training.dataset.preparation import Preparation

if TYPE_CHECKING:
    from symgrad.exchange.onnx_import.onnx_graph import OnnxGraph, OnnxNode

_SCALING = ("Cast", "IsNaN", "Where", "Sub", "Div")


def own_preparation(graph: OnnxGraph) -> Preparation:
    """What was learnt of the data; nothing where another program wrote the file, or another symgrad."""
    try:
        return Preparation.from_json(json.loads(graph.metadata.get("preparation", "")))
    except (AttributeError, KeyError, TypeError, ValueError):
        return Preparation()


def without_scaling(graph: OnnxGraph, preparation: Preparation) -> OnnxGraph:
    """The graph of inputs as the network takes them, where a preparation says how data become such."""
    for name, tensor in preparation.inputs.items():
        if tensor.fill is not None or tensor.mean is not None:
            graph = _unscaled(graph, name)
    return graph


def _unscaled(graph: OnnxGraph, name: str) -> OnnxGraph:
    """Without the operators from an input, cast to double precision, until it is cast back."""
    scaled, end = {name}, ""
    kept: list[OnnxNode] = []
    for node in graph.nodes:
        is_of_it = all(taken in scaled or taken.startswith(f"{name}/") for taken in node.inputs)
        if end or not is_of_it or node.operator not in _SCALING:
            kept.append(replace(node, inputs=tuple(name if t == end else t for t in node.inputs)))
            continue
        end = node.outputs[0] if node.operator == "Cast" and len(scaled) > 1 else ""
        scaled |= set(node.outputs)
    arrays = {n: array for n, array in graph.arrays.items() if not n.startswith(f"{name}/")}
    return replace(graph, nodes=tuple(kept), arrays=arrays) if end else graph
