"""An ONNX file as plain data: its nodes, its arrays, what goes in and comes out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np
import onnx
from onnx import helper, inliner, numpy_helper

from symgrad.errors import ModuleError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

Dim: TypeAlias = int | str
"""The length of an axis, or its name where that is free."""
_NO_FILE = "expected an ONNX file, as torch.onnx.export, skl2onnx or `symgrad export` writes it"
_MOST_NODES = 20_000
_FUNCTIONS_OF_ML = "ai.onnx.ml"


@dataclass(frozen=True)
class OnnxNode:
    """One operator: the names of what it takes and gives, `""` where an input is left out."""

    operator: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def at(self) -> str:
        """For messages."""
        return f"node '{self.name or ', '.join(self.outputs)}' ({self.operator})"

    def refuse(self, problem: str, remedy: str = "") -> NoReturn:
        """Raise a ModuleError about this node."""
        raise ModuleError(problem, at=self.at, remedy=remedy)


@dataclass(frozen=True)
class OnnxTensor:
    """An input or output as the graph declares it; `kind` is NumPy's letter for its numbers, `O` for others.

    An axis without a length is called by its name, or by `""` where it has none.
    """

    name: str
    kind: str
    shape: tuple[Dim, ...]


@dataclass(frozen=True)
class OnnxGraph:
    """What a file says. `arrays` are its initialisers by name; `notes` what was changed when it was read."""

    name: str
    opset: int
    inputs: tuple[OnnxTensor, ...]
    outputs: tuple[OnnxTensor, ...]
    nodes: tuple[OnnxNode, ...]
    arrays: Mapping[str, NDArray[Any]]
    metadata: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def float_type(self) -> str:
        """The widest type of its numbers."""
        is_double = any(array.dtype == np.float64 for array in self.arrays.values())
        return "float64" if is_double else "float32"

    @property
    def uses(self) -> Counter[str]:
        """How often each tensor is taken by a node or given as an output."""
        names = [name for node in self.nodes for name in node.inputs]
        return Counter([*names, *(tensor.name for tensor in self.outputs)])


def read_graph(path: Path) -> OnnxGraph:
    """The graph in a file.

    Raises:
        ModuleError: it cannot be read, is damaged or no ONNX file, or holds numbers that no spec has.
    """
    model = _model(path)
    try:
        graph = model.graph
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        nodes = tuple(map(_node, graph.node))
        inputs = tuple(_tensor(value, True) for value in graph.input if value.name not in arrays)
        outputs = tuple(map(_tensor, graph.output))
    except Exception as error:  # noqa: BLE001  # whatever ONNX raises at what a damaged file says
        raise _damaged(path, error) from None
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
    metadata = {p.key: p.value for p in model.metadata_props}
    arrays, notes = _without_halves(path, model, arrays)
    found = OnnxGraph(graph.name, opset, inputs, outputs, nodes, arrays, metadata, notes)
    _check_numbers(path, arrays)
    _check_names(path, found)
    return found


def _model(path: Path) -> Any:
    try:
        model = onnx.load(str(path))
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        raise ModuleError(problem, at=str(path), remedy="name an ONNX file") from None
    except Exception as error:  # noqa: BLE001  # protobuf and ONNX have many for a damaged file
        raise _damaged(path, error) from None
    if not model.graph.output:
        raise ModuleError("is no ONNX file: no graph with outputs is in it", at=str(path), remedy=_NO_FILE)
    if len(model.graph.node) > _MOST_NODES or model.graph.sparse_initializer:
        problem = f"a graph of {len(model.graph.node):,} nodes, or with sparse arrays"
        raise ModuleError(problem, at=str(path), remedy=f"expected at most {_MOST_NODES:,}, dense ones")
    if not model.functions:
        return model
    try:
        return inliner.inline_local_functions(model)
    except Exception as error:  # noqa: BLE001  # as above
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> ModuleError:
    said = str(error).strip().splitlines()
    reason = said[0][:200] if said else type(error).__name__
    return ModuleError(f"is damaged, or no ONNX file: {reason}", at=str(path), remedy=_NO_FILE)


def _node(proto: Any) -> OnnxNode:
    attributes = {a.name: _attribute(helper.get_attribute_value(a)) for a in proto.attribute}
    known = proto.domain in ("", "ai.onnx", _FUNCTIONS_OF_ML)
    operator = proto.op_type if known else f"{proto.domain}.{proto.op_type}"
    return OnnxNode(operator, proto.name, tuple(proto.input), tuple(proto.output), attributes)


def _attribute(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, list | tuple):
        return [_attribute(entry) for entry in value]
    return list(value) if type(value).__name__.startswith("Repeated") else value


def _tensor(proto: Any, is_input: bool = False) -> OnnxTensor:
    kind = proto.type.tensor_type
    letter = "O"
    if kind.elem_type and proto.type.HasField("tensor_type"):
        letter = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)).kind
    if letter != "O" and not kind.HasField("shape") and is_input:
        raise ValueError(f"the input '{proto.name}' has no shape")
    dims = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param for d in kind.shape.dim)
    return OnnxTensor(proto.name, letter, dims)


def _without_halves(
    path: Path, model: Any, arrays: dict[str, NDArray[Any]]
) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """The arrays with those of float16 in float32, which holds the same numbers, and what to say of that.

    Raises:
        ModuleError: the network computes in float16.
    """
    halves = [name for name, array in arrays.items() if array.dtype == np.float16]
    computes = [v.name for v in model.graph.input if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16]
    if computes and not set(computes) <= arrays.keys():
        problem = f"computes in float16: its input '{computes[0]}' is of that type"
        raise ModuleError(problem, at=str(path), remedy="write it in float32 or float64")
    if not halves:
        return arrays, ()
    what = f"'{halves[0]}' is" if len(halves) == 1 else f"{len(halves)} arrays are"
    note = f"{what} of float16, and of float32 here"
    return {n: a.astype(np.float32) if n in halves else a for n, a in arrays.items()}, (note,)


def _check_numbers(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise ModuleError for numbers of another type than those of specs, and those that are not finite."""
    for dtype in {array.dtype for array in arrays.values() if array.dtype.kind not in "iubOSU"}:
        if dtype not in (np.float32, np.float64):
            problem = f"holds numbers of type {dtype}"
            raise ModuleError(problem, at=str(path), remedy="write it in float32 or float64")
    for name, array in arrays.items():
        if array.dtype.kind == "f" and array.size > 1 and not np.isfinite(array).all():
            raise ModuleError(f"'{name}' holds a number that is not finite", at=str(path))


def _check_names(path: Path, graph: OnnxGraph) -> None:
    """Raise ModuleError where a node takes what nothing before it gives, or gives what is there already."""
    known = {tensor.name for tensor in graph.inputs} | graph.arrays.keys() | {""}
    for node in graph.nodes:
        for name in node.inputs:
            if name not in known:
                node.refuse(f"takes '{name}', which nothing before it gives", _NO_FILE)
        for name in filter(None, node.outputs):
            if name in known:
                node.refuse(f"gives '{name}', which is there already", _NO_FILE)
        known |= set(node.outputs)
    for tensor in graph.outputs:
        if tensor.name not in known:
            raise ModuleError(f"nothing gives its output '{tensor.name}'", at=str(path), remedy=_NO_FILE)
