"""A network that was read as the text of a spec: a chain of layers where it is one, else equations."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symgrad.errors import ModuleError, did_you_mean
from symgrad.exchange.onnx_import.read_formulas import TensorEntry, number_text
from symgrad.spec import library

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from symgrad.exchange.onnx_import.imported_network import ReadNetwork
    from symgrad.exchange.onnx_import.onnx_graph import Dim
    from symgrad.exchange.onnx_import.spec_builder import MadeEquation
    from symgrad.training.dataset.preparation import Preparation

_QUOTED = re.compile(r"[\[\]{}#:,]|^[^A-Za-z0-9(]")


@dataclass(frozen=True)
class SpecText:
    """The text, and the arrays of its parameters: by their names, or in order where it is a chain."""

    text: str
    params: Mapping[str, NDArray[Any]]
    is_chain: bool


def spec_text(network: ReadNetwork, name: str, source: str) -> SpecText:
    """The spec of a network. Raises ModuleError for a loss that is none."""
    build = network.build
    outputs = [_tensor_name(value.tree) for _, value in network.outputs]
    layers = _chain(network, outputs)
    rows = {row.name: row.row for row in build.equations if row.row is not None}
    params: dict[str, NDArray[Any]] = dict(build.parameters)
    for equation, row in rows.items():
        params |= {f"{equation}_W": row.weight} | ({} if row.bias is None else {f"{equation}_b": row.bias})
    lines = [f"# From {source}, by symgrad import.", *(f"# {note}" for note in network.notes)]
    lines += [f"name: {name}", f"dtype: {build.graph.float_type}", "inputs:"]
    lines += [f"  {build.inputs[n]}: {_declared(s, build.classes.get(n))}" for n, s in network.shapes.items()]
    has_loss = bool(params)
    if has_loss:
        lines += _targets(network, outputs)
    if layers is not None:
        lines += ["layers:", *(f"  - {layer}" for layer in layers)]
    else:
        lines += _graph(build.constants, build.parameters, build.equations)
        lines += [f"outputs: [{', '.join(outputs)}]"] if outputs != [build.equations[-1].name] else []
    if has_loss:
        lines += [f"loss: {_loss(network, outputs, layers is not None)}"]
        lines += ["train:", "  optimizer: adam(learning_rate=0.001)", *_data_policy(network.preparation)]
    return SpecText("\n".join(lines) + "\n", params, layers is not None)


def _data_policy(known: Preparation) -> Iterator[str]:
    """What an export says of how its data were treated: training goes on with such."""
    if known.is_standardized:
        yield "  standardize: true"
    if known.drops_missing:
        yield "  missing: drop"
    if any(tensor.unseen == "ignore" for tensor in known.inputs.values()):
        yield "  unseen: ignore"


def _tensor_name(tree: object) -> str:
    if not isinstance(tree, TensorEntry):
        raise ModuleError("an output is a number of the file")
    return tree.tensor


def _declared(shape: Sequence[Dim], classes: Any = None) -> str:
    axes = f"[{', '.join(map(str, shape))}]"
    if classes is None:
        return axes
    shown = json.dumps(list(classes), ensure_ascii=False) if isinstance(classes, tuple) else classes
    return f"{{axes: {axes}, classes: {shown}}}"


def _chain(network: ReadNetwork, outputs: list[str]) -> list[str] | None:
    """A row for each layer, with the names of its arrays in the file; None where the network is no chain."""
    build = network.build
    if len(build.inputs) != 1 or len(outputs) != 1 or build.parameters or build.constants or build.classes:
        return None
    (before,) = build.inputs.values()
    rows = []
    for equation in build.equations:
        row, formula = equation.row, equation.formula
        if row is not None and row.before == before and row.activation is not None:
            arguments = [str(row.units), *(["bias=false"] if row.bias is None else [])]
            arguments += [f"activation={row.activation}"] if row.activation else []
            rows.append(f"dense({', '.join(arguments)})  # {', '.join(row.called)}")
        elif row is None and (found := re.fullmatch(rf"(\w+)\({before}\)", formula)):
            if found[1] not in library.activations:
                return None
            rows.append(found[1])
        else:
            return None
        before = equation.name
    return rows if rows and before == outputs[0] else None


def _graph(
    constants: Mapping[str, NDArray[Any]],
    parameters: Mapping[str, NDArray[Any]],
    equations: Sequence[MadeEquation],
) -> list[str]:
    lines = [f"constants:\n{_constants(constants)}"] if constants else []
    if parameters:
        lines += ["parameters:", *(f"  {name}: {_declared(a.shape)}" for name, a in parameters.items())]
    lines.append("equations:")
    for equation in equations:
        called = f"  # {', '.join(equation.row.called)}" if equation.row is not None else ""
        lines.append(f"  {_quoted(equation.left)}: {_quoted(equation.formula)}{called}")
    return lines


def _quoted(text: str) -> str:
    return json.dumps(text) if _QUOTED.search(text) else text


def _constants(constants: Mapping[str, NDArray[Any]]) -> str:
    return "\n".join(f"  {name}: {_numbers(array)}" for name, array in constants.items())


def _numbers(array: NDArray[Any]) -> str:
    if array.ndim:
        return f"[{', '.join(map(_numbers, array))}]"
    return number_text(float(str(array)))


def _targets(network: ReadNetwork, outputs: list[str]) -> list[str]:
    """A target for each output: of labels where the loss takes these, else of its shape."""
    lines = ["targets:"]
    for target, (name, value) in zip(_target_names(network, outputs), network.outputs, strict=True):
        shape = value.tree.sizes if isinstance(value.tree, TensorEntry) else value.shape
        if _takes_labels(network.loss):
            width = shape[-1] if shape else 0
            classes = network.classes if len(network.classes) == width else width
            lines.append(f"  {target}: {_declared(shape[:-1], classes)}")
        else:
            lines.append(f"  {target}: {_declared(shape)}" + (f"  # of {name}" if len(outputs) > 1 else ""))
    return lines


def _takes_labels(loss: str) -> bool:
    entry = library.losses.get(loss)
    return entry is not None and entry.task == "classes" and loss != "kl_div"


def _target_names(network: ReadNetwork, outputs: list[str]) -> list[str]:
    taken = network.build.names.taken
    names = ["t"] if len(outputs) == 1 else [f"t_{name}" for name in outputs]
    return [name if name not in taken else f"{name}_target" for name in names]


def _loss(network: ReadNetwork, outputs: list[str], is_chain: bool) -> str:
    loss = network.loss or "mse"
    if loss not in library.losses:
        remedy = did_you_mean(loss, library.losses) or "`symgrad list losses` has all of them"
        raise ModuleError(f"there is no loss '{loss}'", remedy=remedy)
    if is_chain:
        return loss
    targets = _target_names(network, outputs)
    return " + ".join(f"{loss}({output}, {target})" for output, target in zip(outputs, targets, strict=True))
