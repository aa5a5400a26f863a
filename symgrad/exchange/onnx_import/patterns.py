"""Nodes rewritten before they are read: what is known is computed, what several nodes say together is one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper
from onnx.reference import ReferenceEvaluator

from symgrad.exchange.onnx_import.onnx_graph import OnnxNode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from symgrad.exchange.onnx_import.onnx_graph import OnnxGraph

DENSE = "Dense"
"""x·W + b with a matrix and a vector of its own: inputs x, W, b; `""` for no b. Not an operator of ONNX."""
_MOVES = ("Identity", "Unsqueeze", "Squeeze", "Reshape", "Flatten", "Transpose", "Cast")
_DROPPED = ("Identity", "Dropout")
_MOST_ENTRIES = 10_000_000


def rewritten(graph: OnnxGraph) -> tuple[OnnxGraph, frozenset[str]]:
    """The graph without what inference does not need, and the names of arrays that stood in nodes."""
    graph, written = _with_constants(_without_dropped(graph))
    graph, written = _folded(graph, written)
    return _with_dense(_with_softmax(_with_relu(_without_nan_guards(graph)))), written


def _renamed(graph: OnnxGraph, names: Mapping[str, str], nodes: list[OnnxNode]) -> OnnxGraph:
    """The graph of these nodes, tensors called otherwise."""
    new = tuple(replace(n, inputs=tuple(names.get(name, name) for name in n.inputs)) for n in nodes)
    outputs = tuple(replace(t, name=names.get(t.name, t.name)) for t in graph.outputs)
    return replace(graph, nodes=new, outputs=outputs)


def _without_dropped(graph: OnnxGraph) -> OnnxGraph:
    """Identity, and dropout, which does nothing when a network is used."""
    names: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        if node.operator in _DROPPED and node.inputs and node.outputs:
            names[node.outputs[0]] = names.get(node.inputs[0], node.inputs[0])
        else:
            nodes.append(node)
    return _renamed(graph, names, nodes)


def _with_constants(graph: OnnxGraph) -> tuple[OnnxGraph, frozenset[str]]:
    """Arrays written in nodes, as arrays of the graph."""
    arrays = dict(graph.arrays)
    nodes = []
    for node in graph.nodes:
        if node.operator == "Constant":
            arrays[node.outputs[0]] = _constant(node)
        else:
            nodes.append(node)
    return replace(graph, arrays=arrays, nodes=tuple(nodes)), frozenset(arrays.keys() - graph.arrays.keys())


def _constant(node: OnnxNode) -> NDArray[Any]:
    types = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64}
    for name, value in node.attributes.items():
        if name == "value" and isinstance(value, np.ndarray):
            return value
        if name in (*types, "value_ints"):
            return np.array(value, types.get(name, np.int64))
    return node.refuse("holds no array of numbers", "expected value, value_float, value_int or lists of them")


def _folded(graph: OnnxGraph, written: frozenset[str]) -> tuple[OnnxGraph, frozenset[str]]:
    """What depends on arrays alone is computed now; an array used once that is only laid out otherwise keeps
    its name."""
    arrays, uses, names = dict(graph.arrays), graph.uses, dict[str, str]()
    constant = set(written)
    nodes = []
    for node in graph.nodes:
        taken = [names.get(name, name) for name in node.inputs]
        given = [name for name in taken if name]
        is_known = given and all(name in arrays for name in given) and len(node.outputs) == 1
        moves = node.operator in _MOVES and taken[0] in arrays and taken[0] not in constant
        if not is_known or (moves and uses[node.inputs[0]] > 1):
            nodes.append(node)
            continue
        found = _computed(node, graph.opset, [arrays[name] for name in taken if name])
        name = taken[0] if moves else node.outputs[0]
        arrays[name] = found
        names[node.outputs[0]] = name
        if name == node.outputs[0] and all(n in constant or arrays[n].dtype.kind != "f" for n in given):
            constant.add(name)
        uses[name] = uses[node.outputs[0]]
    kept = {name: there for name, there in names.items() if name != there}
    return _renamed(replace(graph, arrays=arrays), kept, nodes), frozenset(constant)


def _computed(node: OnnxNode, opset: int, given: list[NDArray[Any]]) -> NDArray[Any]:
    if sum(array.size for array in given) > _MOST_ENTRIES:
        node.refuse("computes large arrays from others", "fold constants when the file is written")
    proto = helper.make_node(node.operator, [f"i{k}" for k in range(len(given))], ["o"], **node.attributes)
    graph = helper.make_graph([proto], "", [], [])
    try:
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        (found,) = ReferenceEvaluator(model).run(["o"], {f"i{k}": array for k, array in enumerate(given)})
    except Exception as error:  # noqa: BLE001  # whatever the operator raises at arrays that do not fit
        return node.refuse(
            f"cannot be computed: {str(error).splitlines()[0][:150] if str(error) else error!r}"
        )
    return np.asarray(found)


def _with_dense(graph: OnnxGraph) -> OnnxGraph:
    """Gemm, or MatMul and Add, with a matrix and a vector of their own, as one node."""
    uses = graph.uses
    adders = {name: n for n in graph.nodes if n.operator == "Add" for name in n.inputs}
    nodes, gone = [], set[str]()
    for node in graph.nodes:
        if node.outputs[:1] and node.outputs[0] in gone:
            continue
        dense = _gemm(node, graph, uses) if node.operator == "Gemm" else None
        if node.operator == "MatMul" and _own(node.inputs[1], 2, graph, uses):
            units = graph.arrays[node.inputs[1]].shape[1]
            adder = adders.get(node.outputs[0]) if uses[node.outputs[0]] == 1 else None
            biases = [b for b in adder.inputs if _own(b, 1, graph, uses, units)] if adder is not None else []
            if adder is not None and biases:
                gone.add(adder.outputs[0])
                dense = replace(adder, operator=DENSE, inputs=(*node.inputs, biases[0]), attributes={})
            else:
                dense = replace(node, operator=DENSE, inputs=(*node.inputs, ""), attributes={})
        nodes.append(node if dense is None else dense)
    return replace(graph, nodes=tuple(nodes))


def _gemm(node: OnnxNode, graph: OnnxGraph, uses: Mapping[str, int]) -> OnnxNode | None:
    told = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0, **node.attributes}
    if told["alpha"] != 1 or told["transA"] or not _own(node.inputs[1], 2, graph, uses):
        return None
    bias = node.inputs[2] if len(node.inputs) > 2 else ""
    units = graph.arrays[node.inputs[1]].shape[0 if told["transB"] else 1]
    if bias and (told["beta"] != 1 or not _own(bias, 1, graph, uses, units)):
        return None
    attributes = {"transposed": bool(told["transB"])}
    return replace(node, operator=DENSE, inputs=(*node.inputs[:2], bias), attributes=attributes)


def _own(name: str, rank: int, graph: OnnxGraph, uses: Mapping[str, int], size: int = 0) -> bool:
    """Whether this is an array of numbers that nothing else uses, of this rank, axes of length 1 aside."""
    array = graph.arrays.get(name)
    if array is None or array.dtype.kind != "f" or uses[name] != 1:
        return False
    if rank == 1:
        return array.ndim in (1, 2) and array.size == size == array.shape[-1]
    return array.ndim == rank


def _without_nan_guards(graph: OnnxGraph) -> OnnxGraph:
    """Extrema without the sum of what is no number, added lest they hide it: a spec's hide nothing."""
    made = {name: node for node in graph.nodes for name in node.outputs}

    def is_guard(name: str, value: str) -> bool:
        total = made.get(name)
        chosen = made.get(total.inputs[0]) if total is not None and total.operator == "ReduceSum" else None
        asked = made.get(chosen.inputs[0]) if chosen is not None and chosen.operator == "Where" else None
        return asked is not None and (asked.operator, asked.inputs) == ("IsNaN", (value,))

    names: dict[str, str] = {}
    nodes = []
    for node in graph.nodes:
        first = made.get(node.inputs[0]) if node.operator == "Add" else None
        is_extremum = first is not None and first.operator in ("ReduceMax", "ReduceMin")
        if first is not None and is_extremum and is_guard(node.inputs[1], first.inputs[0]):
            names[node.outputs[0]] = first.outputs[0]
        else:
            nodes.append(node)
    return needed_nodes(_renamed(graph, names, nodes))


def needed_nodes(graph: OnnxGraph) -> OnnxGraph:
    """The graph without nodes that no output needs."""
    needed = {tensor.name for tensor in graph.outputs}
    kept = []
    for node in reversed(graph.nodes):
        if needed & set(node.outputs):
            kept.append(node)
            needed |= set(node.inputs)
    return replace(graph, nodes=tuple(reversed(kept)))


def _with_relu(graph: OnnxGraph) -> OnnxGraph:
    """0 where z is at most 0, else z, and the same said otherwise."""
    made = {name: node for node in graph.nodes for name in node.outputs}

    def is_zero(name: str) -> bool:
        array = graph.arrays.get(name)
        return array is not None and array.size == 1 and not array.any()

    def relu(node: OnnxNode) -> OnnxNode:
        if node.operator not in ("Where", "Max") or len(node.inputs) < 2:
            return node
        *condition, yes, no = node.inputs
        z = no if is_zero(yes) else yes
        if not is_zero(no if z == yes else yes):
            return node
        asked = made.get(condition[0]) if condition else None
        relations = ("Greater", "GreaterOrEqual") if z == yes else ("Less", "LessOrEqual")
        fits = asked is not None and asked.operator in relations and asked.inputs[0] == z
        if node.operator == "Where" and not (asked is not None and fits and is_zero(asked.inputs[1])):
            return node
        return OnnxNode("Relu", node.name, (z,), node.outputs)

    return replace(graph, nodes=tuple(map(relu, graph.nodes)))


def _with_softmax(graph: OnnxGraph) -> OnnxGraph:
    """exp(z − max z) over its sum along the last axis, as one node."""
    made = {name: node for node in graph.nodes for name in node.outputs}
    return replace(graph, nodes=tuple(_softmax(node, made, graph) for node in graph.nodes))


def _softmax(node: OnnxNode, made: Mapping[str, OnnxNode], graph: OnnxGraph) -> OnnxNode:
    def operands(name: str, *operators: str) -> tuple[str, ...]:
        """What an operator of these made a tensor of; nothing where another did."""
        found = made.get(name)
        return found.inputs if found is not None and found.operator in operators else ()

    if node.operator != "Div" or len(node.inputs) != 2:
        return node
    exp, total = node.inputs
    reduced = operands(total, "Unsqueeze") or (total,)
    shifted = operands(operands(exp, "Exp")[0], "Sub") if operands(exp, "Exp") else ()
    if len(shifted) != 2 or operands(reduced[0], "ReduceSum")[:1] != (exp,):
        return node
    z, most = shifted
    largest = operands(most, "Unsqueeze") or (most,)
    axes = [_axes_of(made[name], graph) for name in (reduced[0], largest[0]) if name in made]
    is_last = axes == [(1,), (1,)] or axes == [(-1,), (-1,)]
    if operands(largest[0], "ReduceMax")[:1] != (z,) or not is_last:
        return node
    return OnnxNode("Softmax", node.name, (z,), node.outputs, {"axis": axes[0][0]})


def _axes_of(node: OnnxNode, graph: OnnxGraph) -> tuple[int, ...]:
    if len(node.inputs) > 1 and node.inputs[1] in graph.arrays:
        return tuple(graph.arrays[node.inputs[1]].ravel().tolist())
    return tuple(node.attributes.get("axes", ()))
