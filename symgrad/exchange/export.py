"""Writing what a network learnt into a file whose ending says of which standard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symgrad.displayed import Displayed
from symgrad.errors import DataError, ModuleError, how_to_install
from symgrad.exchange.learnt import fitting, learnt_of
from symgrad.files import write_whole
from symgrad.pipeline import stages_of
from symgrad.spec.expansion.network_hash import network_sha256
from symgrad.training.borrowed_params import TRANSPOSED

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from symgrad.exchange.learnt import Learnt, LearntSource
    from symgrad.spec.model import Spec

WRITERS = {".onnx": "onnx_file", ".safetensors": "safetensors_file"}
"""The module that has the `content` of files with an ending, of which it needs an extra of the same name."""


@dataclass(frozen=True, repr=False)
class Export(Displayed):
    """The file written. Of ONNX, `difference` is how far ONNX Runtime's answers are from the spec's."""

    path: Path
    difference: float | None = None

    def __str__(self) -> str:
        if self.path.suffix != ".onnx":
            return f"wrote {self.path}"
        if self.difference is None:
            return f"wrote {self.path} (not compared with the spec, which gives no numbers on random data)"
        return f"wrote {self.path} (ONNX Runtime agrees to {self.difference:.1e})"

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {"path": str(self.path), "difference": self.difference}


def export(
    spec: Spec, source: LearntSource, path: str | os.PathLike[str], names: Mapping[str, str]
) -> Export:
    """Write parameters, and in ONNX the network, to a file. See `symgrad.api.export`."""
    file, learnt = Path(path), learnt_of(source)
    stages = stages_of(spec)
    fitting(stages.formulas, learnt.params, spec.name)
    if learnt.network_sha256 not in ("", network_sha256(stages.model)):
        problem = "names and shapes are the same, but not the equations of the network that was trained"
        raise DataError(problem, at=spec.name, remedy="give the spec it was trained with")
    if names:
        learnt = _renamed(learnt, names, file)
    content, difference = _writer(file).content(stages, learnt)
    write_whole(file, content)
    return Export(file, difference)


def _renamed(learnt: Learnt, names: Mapping[str, str], file: Path) -> Learnt:
    """The parameters under the names of another program."""
    if file.suffix != ".safetensors":
        raise DataError("a network keeps its names", at=str(file), remedy="only .safetensors takes others")
    if unknown := names.keys() - learnt.params.keys():
        raise DataError(f"there is no parameter '{min(unknown)}' to rename", at=str(file))
    params: dict[str, NDArray[Any]] = {}
    for name, array in learnt.params.items():
        there = names.get(name, name)
        is_turned = name in names and there.endswith(TRANSPOSED)
        there = there.removesuffix(TRANSPOSED) if is_turned else there
        if there in params:
            raise DataError(f"two parameters would be called '{there}'", at=str(file))
        params[there] = array.T if is_turned else array
    return replace(learnt, params=params)


def _writer(file: Path) -> Any:
    if file.suffix not in WRITERS:
        remedy = f"one of {', '.join(WRITERS)}"
        raise DataError(f"'{file.suffix}' is no ending of a standard file", at=str(file), remedy=remedy)
    try:
        return import_module(f"symgrad.exchange.{WRITERS[file.suffix]}")
    except ModuleNotFoundError as missing:
        if missing.name not in ("onnx", "onnxruntime", "safetensors"):
            raise
        remedy = how_to_install(file.suffix[1:])
        raise ModuleError(f"{missing.name} is missing", at=str(file), remedy=remedy) from None
