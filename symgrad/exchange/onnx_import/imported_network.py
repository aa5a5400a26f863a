"""A graph of operators as a network: the text of its spec, and what the file has learnt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from symgrad.errors import ModuleError
from symgrad.exchange.onnx_import.linear_classifiers import with_plain_classifiers
from symgrad.exchange.onnx_import.node_operators import OPERATORS
from symgrad.exchange.onnx_import.onnx_graph import OnnxGraph, OnnxTensor
from symgrad.exchange.onnx_import.own_exports import own_preparation, without_scaling
from symgrad.exchange.onnx_import.patterns import needed_nodes, rewritten
from symgrad.exchange.onnx_import.read_formulas import ATOM, AppliedFormula, ReadValue, TensorEntry, named
from symgrad.exchange.onnx_import.shape_operators import known_result
from symgrad.exchange.onnx_import.spec_builder import SpecBuilder, base_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from symgrad.exchange.onnx_import.onnx_graph import Dim, OnnxNode
    from symgrad.training.dataset.preparation import Preparation

ROWS = "batch"
_WRITTEN_INTO = ("ScatterND", "ScatterElements", "Scatter")
_NO_PARTS = (
    "equations define whole tensors: export the network with parts put together, as by torch.cat, not by "
    "assignments such as x[:, 0] = ..."
)


@dataclass(frozen=True)
class ReadNetwork:
    """What was read: the builder, the inputs with their shapes here, and what the network gives.

    `outputs` are names in the graph and values here. `loss` is the one that the last operator belongs to,
    `score` what it is of. `classes` are their names, where the file has them; `preparation` is what a file
    that symgrad exported says of data.
    """

    build: SpecBuilder
    shapes: dict[str, tuple[Dim, ...]]
    outputs: tuple[tuple[str, ReadValue], ...]
    loss: str
    classes: tuple[Any, ...]
    notes: tuple[str, ...]
    preparation: Preparation


def read_network(graph: OnnxGraph, at: str, loss: str | None) -> ReadNetwork:
    """Every operator that the outputs need, as equations.

    Raises:
        ModuleError: an operator that no spec has, by its node; or there is no output of numbers.
    """
    classes, preparation = _class_names(graph), own_preparation(graph)
    graph = without_scaling(graph, preparation)
    graph, called, notes = _of_numbers(graph, at)
    try:
        graph = with_plain_classifiers(graph)
        graph, written = rewritten(graph)
        graph = needed_nodes(_without_complement(graph))
    except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"a node lacks an input or an attribute ({type(error).__name__}: {error})"
        raise ModuleError(problem, at=at, remedy="is the file damaged?") from None
    build = SpecBuilder(graph, written)
    shapes, more = _inputs(build, graph)
    for node in graph.nodes:
        _read(build, node)
    found, outputs = "", list[tuple[str, ReadValue]]()
    for there, tensor in zip(called, graph.outputs, strict=True):
        name = tensor.name
        scored = build.scores.get(name)
        if (
            loss is None
            and len(graph.outputs) == 1
            and scored is not None
            and (build.rows or build.parameters)
        ):
            found, name = scored  # a network without parameters has no loss
        value = _output(build, graph, name)
        if value not in [other for _, other in outputs]:
            outputs.append((there, value))
    notes = [*graph.notes, *notes, *more]
    return ReadNetwork(build, shapes, tuple(outputs), loss or found, classes, tuple(notes), preparation)


def _output(build: SpecBuilder, graph: OnnxGraph, name: str) -> ReadValue:
    node = next((node for node in graph.nodes if name in node.outputs), None)
    if name not in build.values or node is None:
        problem = f"the output '{name}' is an input or an array of the file, nothing is computed"
        raise ModuleError(problem, at=graph.name or "the graph")
    wanted, row = build.rows.get(name, (base_name(name, node), None))
    value = build.stored(build.values[name], wanted, row)
    if isinstance(value.tree, TensorEntry) and value.tree.tensor not in {e.name for e in build.equations}:
        copied = AppliedFormula("{}", ATOM, (0,), (value.tree,))
        value = build.stored(ReadValue(value.shape, copied), wanted)
    build.values[name] = value
    return value


def _read(build: SpecBuilder, node: OnnxNode) -> None:
    """One node: known lengths first, then the operator's reader."""
    if node.operator == "Shape":
        shape = build.input(node, 0).shape
        start, end = node.attributes.get("start", 0), node.attributes.get("end", len(shape))
        build.known[node.outputs[0]] = np.array(shape[start:end], object)
        return
    given = [build.known[name] for name in node.inputs if name in build.known]
    if len(given) == len(node.inputs) > 0 and any(array.dtype.kind in "Oiu" for array in given[:1]):
        found = known_result(node, given)
        if found is not None:
            build.known[node.outputs[0]] = found
            return
    if node.operator in _WRITTEN_INTO:
        node.refuse(f"{node.operator} writes into parts of an array", _NO_PARTS)
    if node.operator not in OPERATORS:
        supported = ", ".join(sorted(name for name in OPERATORS if name != "Dense"))
        node.refuse(f"symgrad has no spec for the operator {node.operator}", f"supported are {supported}")
    try:
        value = OPERATORS[node.operator](build, node)
    except (IndexError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        node.refuse(f"cannot be read ({type(error).__name__}: {error})", "is the file damaged?")
    for name, one in zip(node.outputs, value if isinstance(value, list) else [value], strict=False):
        build.finished(node, one, name)


def _inputs(build: SpecBuilder, graph: OnnxGraph) -> tuple[dict[str, tuple[Dim, ...]], list[str]]:
    """Declare the inputs, by names that a spec can have; a first axis of one length everywhere is free."""
    lengths: dict[str, str] = {}
    first = {tensor.shape[:1] for tensor in (*graph.inputs, *graph.outputs)}
    rows = next(iter(first)) if len(first) == 1 else ()
    is_fixed = bool(rows) and isinstance(rows[0], int)
    notes = [f"made for {rows[0]} rows; the spec takes any number of them"] if is_fixed else []
    shapes = {}
    for tensor in graph.inputs:
        if tensor.name not in graph.uses:
            notes.append(f"the input '{tensor.name}' plays no part, and is left out")
            continue
        if tensor.kind not in "fiu":
            raise ModuleError(f"the input '{tensor.name}' holds no numbers", at=graph.name)
        shape = list(tensor.shape)
        for place, size in enumerate(shape):
            if isinstance(size, str) or (is_fixed and place == 0):
                wanted = size if isinstance(size, str) and size else ROWS if place == 0 else f"length_{place}"
                if wanted not in lengths:
                    lengths[wanted] = build.names.fresh(wanted)
                shape[place] = lengths[wanted]
            elif size < 1:
                raise ModuleError(f"the input '{tensor.name}' has an axis of length {size}", at=graph.name)
        flat = _flattened(graph, tensor, shape)
        name = build.names.fresh(tensor.name)
        if flat != tuple(shape) or name != tensor.name:
            notes.append(
                f"the input '{tensor.name}' {_brackets(shape)} is {name} {_brackets(flat)} in the spec"
            )
        shapes[tensor.name], build.inputs[tensor.name] = flat, name
        build.values[tensor.name] = named(name, flat)
    return shapes, notes


def _brackets(shape: Sequence[Dim]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _flattened(graph: OnnxGraph, tensor: OnnxTensor, shape: list[Dim]) -> tuple[Dim, ...]:
    """The shape that an input has where all that takes it is what makes a row of numbers of it."""
    takers = [node for node in graph.nodes if tensor.name in node.inputs]
    if len(shape) < 3 or len(takers) != 1 or not all(isinstance(size, int) for size in shape[1:]):
        return tuple(shape)
    (node,) = takers
    width = int(np.prod([size for size in shape[1:] if isinstance(size, int)]))
    lengths = graph.arrays.get(node.inputs[1]) if len(node.inputs) > 1 else None
    is_flat = node.operator == "Flatten" and node.attributes.get("axis", 1) == 1
    if node.operator == "Reshape" and lengths is not None:
        is_flat = lengths.shape == (2,) and (lengths[1] == width or (lengths[1] == -1 and lengths[0] != -1))
    return (shape[0], width) if is_flat else tuple(shape)


def _of_numbers(graph: OnnxGraph, at: str) -> tuple[OnnxGraph, list[str], list[str]]:
    """The graph with its outputs of numbers alone, their names, and what to say of the others.

    The table of probabilities by the names of classes is the array that it was made of.
    """
    made = {name: node for node in graph.nodes for name in node.outputs}
    outputs, called, left = [], [], []
    for tensor in graph.outputs:
        node = made.get(tensor.name)
        if node is not None and node.operator == "ZipMap":
            outputs.append(OnnxTensor(node.inputs[0], "f", ("", 0)))
        elif tensor.kind == "f":
            outputs.append(tensor)
        else:
            left.append(tensor.name)
            continue
        called.append(tensor.name)
    if not outputs:
        raise ModuleError("gives no numbers", at=at, remedy="expected an output of type float or double")
    notes = [f"left out: {', '.join(left)}, which is no array of real numbers"] if left else []
    return replace(graph, outputs=tuple(outputs)), called, notes


def _class_names(graph: OnnxGraph) -> tuple[Any, ...]:
    """What classes are called, by the operators that say it; nothing where they are not."""
    for node in graph.nodes:
        for name in ("classlabels_strings", "classlabels_int64s", "classlabels_ints"):
            if node.operator in ("ZipMap", "LinearClassifier") and node.attributes.get(name):
                return _unless_numbers(node.attributes[name])
        if node.operator == "ArrayFeatureExtractor" and node.inputs[0] in graph.arrays:
            names = graph.arrays[node.inputs[0]].ravel().tolist()
            return _unless_numbers([name.decode() if isinstance(name, bytes) else name for name in names])
    return ()


def _unless_numbers(names: list[Any]) -> tuple[Any, ...]:
    """FreshNames of classes; nothing where they are 0, 1, 2, ..., as classes are anyway."""
    return () if names == list(range(len(names))) else tuple(names)


def _without_complement(graph: OnnxGraph) -> OnnxGraph:
    """Of 1 − p and p side by side, as scikit-learn gives probabilities of two classes, p alone."""
    made = {name: node for node in graph.nodes for name in node.outputs}
    outputs = []
    for tensor in graph.outputs:
        joined = made.get(tensor.name)
        if joined is not None and joined.operator == "Concat" and len(joined.inputs) == 2:
            other = made.get(joined.inputs[0])
            if other is not None and other.operator == "Sub" and other.inputs[1] == joined.inputs[1]:
                one = graph.arrays.get(other.inputs[0])
                if one is not None and (one == 1).all():
                    tensor = replace(tensor, name=joined.inputs[1])
        outputs.append(tensor)
    return replace(graph, outputs=tuple(outputs))
