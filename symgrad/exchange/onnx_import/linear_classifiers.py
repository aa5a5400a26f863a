"""Linear classifiers of scikit-learn, one operator for labels and scores, as those that compute these."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.exchange.onnx_import.onnx_graph import OnnxNode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from symgrad.exchange.onnx_import.onnx_graph import OnnxGraph

_TRANSFORMS = {"NONE": "Identity", "SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid"}


def with_plain_classifiers(graph: OnnxGraph) -> OnnxGraph:
    """The graph with products and functions of scores for LinearClassifier, and sums for Normalizer.

    Raises:
        ModuleError: one does something else to its scores.
    """
    arrays, shares = dict(graph.arrays), set[str]()
    nodes: list[OnnxNode] = []
    for node in graph.nodes:
        if node.operator == "LinearClassifier":
            nodes += _classifier(node, arrays, shares, graph.float_type)
        elif node.operator == "Normalizer":
            nodes += _normalizer(node, shares)
        else:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes), arrays=arrays)


def _classifier(
    node: OnnxNode, arrays: dict[str, NDArray[Any]], shares: set[str], dtype: str
) -> Iterator[OnnxNode]:
    """Scores, and what is made of them; `shares` are those that come to 1. Names of classes give labels."""
    told, scores = node.attributes, node.outputs[1]
    labels = told.get("classlabels_strings") or told.get("classlabels_ints") or ()
    bias = np.asarray(told.get("intercepts", ()), dtype)
    transform = told.get("post_transform", "NONE")
    if transform not in _TRANSFORMS or len(labels) < 2 or bias.size not in (0, len(labels)):
        problem = f"makes {transform} scores of {bias.size} numbers for {len(labels)} classes"
        node.refuse(problem, f"expected {', '.join(_TRANSFORMS)} and a number for each class")
    weight = np.asarray(told.get("coefficients", ()), dtype).reshape(len(labels), -1).T
    is_mirrored = len(labels) == 2 and np.array_equal(weight[:, 0], -weight[:, 1])
    is_mirrored = is_mirrored and transform == "LOGISTIC" and (not bias.size or bias[0] == -bias[1])
    if is_mirrored:
        weight, bias = weight[:, 1:], bias[1:]
    names = f"{scores}.weight", f"{scores}.bias"
    arrays |= {names[0]: weight, **({names[1]: bias} if bias.size else {})}
    given = (node.inputs[0], *names[: 2 if bias.size else 1])
    yield OnnxNode("Gemm", node.name, given, (f"{scores}.affine",))
    made = f"{scores}.second" if is_mirrored else scores
    axis = {"axis": 1} if transform == "SOFTMAX" else {}
    yield OnnxNode(_TRANSFORMS[transform], node.name, (f"{scores}.affine",), (made,), axis)
    if is_mirrored:
        one = f"{scores}.one"
        arrays[one] = np.ones((), dtype)
        yield OnnxNode("Sub", node.name, (one, made), (f"{scores}.first",))
        yield OnnxNode("Concat", node.name, (f"{scores}.first", made), (scores,), {"axis": 1})
    if is_mirrored or transform == "SOFTMAX":
        shares.add(scores)


def _normalizer(node: OnnxNode, shares: set[str]) -> Iterator[OnnxNode]:
    """Rows divided by the sum of their sizes; nothing where these come to 1."""
    norm, (given,), (made,) = node.attributes.get("norm", "MAX"), node.inputs, node.outputs
    if norm not in ("L1", "L2"):
        node.refuse(f"divides by the norm {norm}", "expected L1 or L2")
    if norm == "L1" and given in shares:
        yield OnnxNode("Identity", node.name, (given,), (made,))
        return
    total = f"{made}.{norm.lower()}"
    yield OnnxNode(f"Reduce{norm}", node.name, (given,), (total,), {"axes": [1], "keepdims": 1})
    yield OnnxNode("Div", node.name, (given, total), (made,))
