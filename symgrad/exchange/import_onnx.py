"""A network from an ONNX file: its spec, and beside it the module and a checkpoint of what it has learnt."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnxruntime import InferenceSession, SessionOptions

from symgrad.errors import InternalError, ModuleError, SpecError, SymgradError
from symgrad.exchange.answers import MOST_DIFFERENCE, TYPES, distance
from symgrad.exchange.imported import Import
from symgrad.exchange.onnx_import.imported_network import read_network
from symgrad.exchange.onnx_import.onnx_graph import read_graph
from symgrad.exchange.onnx_import.spec_text import spec_text
from symgrad.files import write_whole
from symgrad.pipeline import stages_of
from symgrad.spec.language.names import hides_module
from symgrad.spec.reader import read
from symgrad.training.checkpoint import IMPORTED, Checkpoint, save_checkpoint
from symgrad.training.dataset.preparation import Preparation, TensorPreparation
from symgrad.verifier.interpretation.arithmetic import DOUBLE
from symgrad.verifier.interpretation.interpreter import interpret
from symgrad.verifier.sampling.samples import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    from symgrad.exchange.onnx_import.imported_network import ReadNetwork
    from symgrad.spec.model import Model, Spec, TensorSpec

_ROWS = 5


@dataclass(frozen=True)
class ImportedNetwork:
    """The text of the spec, its model, the parameters in the file, and how far the spec's answers are from
    ONNX Runtime's: in units of 1 plus the size of the value, None where random data give no numbers."""

    source: Path
    text: str
    model: Model
    params: Mapping[str, NDArray[Any]]
    difference: float | None
    words: tuple[Any, ...]
    notes: tuple[str, ...]
    preparation: Preparation

    def checkpoint(self, module: ModuleType) -> Checkpoint:
        """What the file has learnt, for the module of this spec."""
        params = module.unflatten(np.empty(module.SIZE, module.DTYPE))
        for name, values in params._asdict().items():
            values[...] = self.params[name]
        spec = self.model.spec
        known = self.preparation
        inputs = {t.name: _known(t, known.inputs.get(t.name)) or _taken_as_given(t) for t in spec.inputs}
        words = self.words if self.model.task == "binary" and len(self.words) == 2 else ()
        told = [*known.targets.values()] if len(known.targets) == len(spec.targets) == 1 else []
        targets = {
            t.name: _known(t, told[0] if told else None) or _taken_as_given(t, words) for t in spec.targets
        }
        more = {IMPORTED: np.array(self.source.name)}
        state = module.init_state(params)
        preparation = replace(known, inputs=inputs, targets=targets)
        return Checkpoint(params, state, preparation, 0, 0, module, more)


def _known(tensor: TensorSpec, prepared: TensorPreparation | None) -> TensorPreparation | None:
    """What is known of a tensor, where that is of such rows and labels."""
    shape = tuple(axis for axis in tensor.axes[1:] if isinstance(axis, int))
    if prepared is None or prepared.shape != shape or prepared.count != (tensor.classes or 0):
        return None
    return prepared


def _taken_as_given(tensor: TensorSpec, words: tuple[Any, ...] = ()) -> TensorPreparation:
    """Rows in an array of the tensor's name, or in columns; a number may tell two `words` apart."""
    shape = tuple(axis for axis in tensor.axes[1:] if isinstance(axis, int))
    categories, names = ((words,), words) if words else ((), tensor.class_names)
    return TensorPreparation(shape, (tensor.name,), categories, tensor.classes or 0, names, found_by="array")


def import_onnx(path: Path, name: str, loss: str | None) -> ImportedNetwork:
    """The network in an ONNX file as a spec called `name`, compared with ONNX Runtime. See `api`."""
    network = read_network(read_graph(path), str(path), loss)
    written = spec_text(network, name, path.name)
    try:
        stages = stages_of(read(written.text))
        model = stages.model
        _ = stages.formulas  # which refuses what has no shape
    except SpecError as error:
        raise ModuleError(f"makes no spec: {error.problem}", at=str(path), remedy=error.remedy) from None
    names = [parameter.name for parameter in model.parameters]
    params = dict(zip(names, written.params.values(), strict=True)) if written.is_chain else written.params
    if params.keys() != set(names):
        raise InternalError(f"parameters {sorted(params)} for {sorted(names)}")
    difference = _difference(path, model, params, network)
    return ImportedNetwork(
        path, written.text, model, params, difference, network.classes, network.notes, network.preparation
    )


def spec_name(file: Path) -> str:
    """The name of a spec that stands in this file."""
    word = re.sub(r"\W", "_", file.stem, flags=re.ASCII).strip("_")[:56] or "model"
    word = word if word[0].isalpha() else f"net_{word}"
    return f"{word}_net" if hides_module(word) else word


def _difference(
    path: Path, model: Model, params: Mapping[str, NDArray[Any]], network: ReadNetwork
) -> float | None:
    """How far the spec's answers are from ONNX Runtime's. Raises ModuleError where they differ."""
    options = SessionOptions()
    options.log_severity_level = 4
    try:
        session = InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        fixed = {size for i in session.get_inputs() for size in i.shape[:1] if isinstance(size, int)}
        drawn = draw(model, "data", 0, batch=min(fixed) if fixed else _ROWS).inputs
    except SymgradError:
        return None
    except Exception as error:  # noqa: BLE001  # ONNX Runtime has many for a file that it does not take
        problem = f"ONNX Runtime does not take it: {str(error).splitlines()[0][:150]}"
        raise ModuleError(problem, at=str(path), remedy="is the file damaged?") from None
    given = {i.name: _as_declared(i, drawn, network) for i in session.get_inputs()}
    wanted = [name for name, _ in network.outputs]
    try:
        answers = session.run(wanted, given)
    except Exception as error:  # noqa: BLE001  # as above
        problem = f"ONNX Runtime cannot run it: {str(error).splitlines()[0][:150]}"
        raise ModuleError(problem, at=str(path), remedy="is the file damaged?") from None
    targets = {t.name: np.zeros(_sizes(t, model, drawn)) for t in model.spec.targets}
    known = network.preparation
    taken = {name: known.input(name, values, model.spec.dtype) for name, values in drawn.items()}
    right = interpret(model, {**taken, **targets, **params}, DOUBLE).prediction
    found = max((_apart(answer, ours) for answer, ours in zip(answers, right, strict=True)), default=0.0)
    if not found <= MOST_DIFFERENCE:
        problem = f"the spec's answers differ by {found:.1e} from ONNX Runtime's"
        raise ModuleError(problem, at=str(path), remedy="please report this file")
    return found


def _as_declared(declared: Any, drawn: Mapping[str, NDArray[Any]], network: ReadNetwork) -> NDArray[Any]:
    """Data for an input in the file's shape and type; zeros where it plays no part."""
    name = network.build.inputs.get(declared.name)
    sizes = [size if isinstance(size, int) else _ROWS for size in declared.shape]
    if name is None:
        return np.zeros(sizes, TYPES[declared.type])
    values = drawn[name].astype(TYPES[declared.type])
    return values.reshape(len(values), *sizes[1:]) if values.ndim != len(sizes) else values


def _sizes(tensor: TensorSpec, model: Model, drawn: Mapping[str, NDArray[Any]]) -> list[int]:
    """How large a target is that goes with this data."""
    sizes = {
        axis: size
        for declared in model.spec.inputs
        for axis, size in zip(declared.axes, drawn[declared.name].shape, strict=True)
    }
    return [axis if isinstance(axis, int) else sizes[axis] for axis in tensor.axes]


def _apart(answer: Any, ours: NDArray[Any]) -> float:
    """The distance, where shapes are the same but for axes of length 1.

    Of two columns that come to 1, the distance of the second.
    """
    if isinstance(answer, list):
        answer = [list(row.values()) for row in answer]  # probabilities by the names of classes
    answer = np.asarray(answer)
    if answer.size == 2 * ours.size and answer.shape[-1] == 2:
        answer = answer[..., 1]
    return distance(answer.reshape(ours.shape), ours) if answer.size == ours.size else np.inf


def written(
    network: ImportedNetwork,
    files: Sequence[Path],
    generate: Callable[[Spec, Path], Path],
    load: Callable[[Path], ModuleType],
) -> Import:
    """Write spec, module and checkpoint. Raises what `generate` and `load` do, and DataError for files."""
    spec_file, module_file, checkpoint = files
    generate(network.model.spec, module_file)
    save_checkpoint(checkpoint, network.checkpoint(load(module_file)))
    write_whole(spec_file, network.text.encode())
    count = sum(array.size for array in network.params.values())
    return Import(spec_file, module_file, checkpoint, count, network.difference, network.notes)
